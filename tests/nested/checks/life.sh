# long
# The life of a VM under KVM: create, exec, stop, start, restart, a new daemon, delete.
banger vm create --name a --image tiny
banger vm show a | grep -F 'microvm (KVM)'
banger vm exec a -- sh -c 'echo kept >/root/note; sync'
banger vm stop a
banger vm start a
[ "$(banger vm exec a -- cat /root/note)" = kept ]
banger vm restart a
banger daemon stop
[ "$(banger vm exec a -- cat /root/note)" = kept ]
seq 100000 | banger vm exec a -- sha256sum | grep '^b2bc7d3f8b65'
banger vm delete a
[ "$(banger vm list --json)" = '[]' ]
if pgrep -x qemu-system-x86; then exit 1; fi
