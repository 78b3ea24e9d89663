package nvme

// BroadcastNSID addresses all namespaces, where a command allows it.
const BroadcastNSID = 0xffffffff
