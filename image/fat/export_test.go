package fat

// SizeOf returns the size in bytes of the smallest volume of a type with so many
// clusters, and whether there is one.
func SizeOf(typ Type, sectorSize, clusterSize, clusters int64) (int64, bool) {
	l, ok := choice{typ, clusterSize}.smallest(sectorSize, defaultRootEntries, clusters)
	return l.sectors * sectorSize, ok
}
