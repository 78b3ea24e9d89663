package nvme

// Claimed is claimed, for tests that need a file system.
var Claimed = claimed
