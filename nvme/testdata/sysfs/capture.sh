#!/bin/sh
# Captures the trees of this directory anew: what sysfs of each kernel says of
# QEMU's drives, two of which are controllers of one NVM subsystem that share
# namespace 1. A line is an attribute's path and its value.
#
#	nvme/testdata/sysfs/capture.sh
#
# It needs Go and QEMU; neither root nor KVM. TestCaptureSysfs in
# integration/guests/drives is what runs in the guest.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../../.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

go build -o "$tmp/vmexec" ./integration/cmd/vmexec
"$tmp/vmexec" -fetch
for kernel in 6.1 6.12; do
	DRIVEBAY_DRIVE_SHARED=pair DRIVEBAY_REQUIRE=root go test -count=1 -run '^TestCaptureSysfs$' -artifacts -outputdir "$tmp" \
		-exec "$tmp/vmexec -kernel $kernel -module nvme -nvme serial=plain,size=16M,block=4096 -nvme serial=pair,size=16M,subsystem=pair,shared=true -nvme serial=pair,size=16M,subsystem=pair,nsid=2,shared=true,detached=true" \
		./integration/guests/drives
done
rm -f "$here"/*.txt
find "$tmp/_artifacts" -type f -exec cp {} "$here" \;
ls "$here"
