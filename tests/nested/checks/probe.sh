# long
# A result against KVM is said at the next start, with the remedy, and is tried again on demand.
banger daemon stop
host=/root/.cache/banger/host
sed -i -e 's/^kvm_boot .*/kvm_boot bad/' -e 's/^kvm_why .*/kvm_why it hung/' "$host"
banger vm create --name slow --image tiny --no-start
note=$(timeout 30 banger vm start slow 2>&1 || true)
grep -F 'note: VMs are emulated here, which is slow: a test guest did not boot under KVM: it hung' <<<"$note"
grep -F 'banger daemon probe' <<<"$note"
banger vm kill --force slow || true
banger daemon status | grep -F 'a test guest did not boot under KVM: it hung'
banger daemon probe | grep -F 'microvm'
note=$(banger vm start slow 2>&1)
echo "$note"
if grep -F 'emulated' <<<"$note"; then exit 1; fi
banger vm show slow | grep -F 'microvm (KVM)'
banger daemon status | grep -F 'microvm (KVM)'
banger vm delete slow
