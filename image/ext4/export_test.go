package ext4

// NameHash gives the tests the hash that an index is ordered by.
var NameHash = nameHash
