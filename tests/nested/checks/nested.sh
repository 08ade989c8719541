# long
# A guest sees no virtualisation unless it was asked for; a host that forbids nested VMs is named.
flags() { banger vm run --rm --image tiny "$@" -- grep -c -w -E 'svm|vmx' /proc/cpuinfo; }
[ "$(flags || true)" = 0 ]
[ "$(flags --nested)" = 1 ]
banger daemon stop
modprobe -r kvm_amd
modprobe kvm_amd nested=0
refusal=$(flags --nested 2>&1 || true)
modprobe -r kvm_amd
modprobe kvm_amd
echo "$refusal"
grep -F 'parameters/nested is' <<<"$refusal"
banger daemon stop
