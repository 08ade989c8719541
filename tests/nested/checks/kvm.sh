# A VM runs under KVM, without a gap in its boot, and the daemon says so.
log=$(banger vm run --rm --image tiny -- dmesg)
grep -F 'Hypervisor detected: KVM' <<<"$log"
if grep -iE 'broken or not accessible|timed out|soft lockup' <<<"$log"; then exit 1; fi
grep -F 'rtc_cmos' <<<"$log"
banger daemon status | grep -F 'microvm (KVM)'
