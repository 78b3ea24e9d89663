#!/bin/sh
# Captures the goldens of this directory anew from QEMU's NVMe drive in a virtual
# machine: pages (.bin) with nvme-cli's decoding of the same bytes (.json) beside
# them, and a transcript of features (.jsonl) with nvme-cli's text (.txt).
#
#	nvme/testdata/qemu/capture.sh
#
# It needs Go, QEMU and nvme-cli; neither root nor KVM. TestCapture in
# integration/guests/drives is what runs in the guest.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../../.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
PATH=$PATH:/usr/sbin:/sbin

go build -o "$tmp/vmexec" ./integration/cmd/vmexec
"$tmp/vmexec" -fetch
DRIVEBAY_DRIVE=victim DRIVEBAY_REQUIRE=root,tool go test -count=1 -run '^TestCapture$' -artifacts -outputdir "$tmp" \
	-exec "$tmp/vmexec -kernel 6.12 -module nvme -tool nvme -nvme serial=victim,size=16M" ./integration/guests/drives
rm -f "$here"/*.bin "$here"/*.json "$here"/*.jsonl "$here"/*.txt
find "$tmp/_artifacts" -type f -exec cp {} "$here" \;
ls "$here"
