# long
# Times of whole commands beside QEMU alone with the same kernel, with and without a CMOS clock. Prints; asserts nothing.
kernel=$(ls -d /root/.cache/banger/kernels/*/ | head -n 1)
vmlinux=$(find "$kernel" -name 'vmlinux*' | head -n 1)
initramfs=$(find /root/.cache/banger -name 'initramfs*.cpio' | head -n 1)
now() { date +%s.%N; }
row() { awk -v n="$1" -v a="$2" -v b="$3" 'BEGIN {printf "%-32s %6.2f s\n", n, b - a}'; }
bare() {
  rm -f /tmp/port.in /tmp/port.out
  mkfifo /tmp/port.in /tmp/port.out
  local begin end
  begin=$(now)
  qemu-system-x86_64 -M "microvm,rtc=$1" -accel kvm -cpu host -smp 1 -m 256M -nodefaults -no-user-config -nographic \
    -no-reboot -kernel "$vmlinux" -initrd "$initramfs" \
    -append 'console=ttyS0 panic=-1 quiet net.ifnames=0 cryptomgr.notests' -serial null \
    -chardev pipe,id=agent,path=/tmp/port -device virtio-serial-device,max_ports=2 \
    -device virtserialport,chardev=agent,name=banger.agent.0,nr=1 &
  local pid=$!
  head -c 1 /tmp/port.out >/dev/null
  end=$(now)
  kill -9 "$pid"
  wait "$pid" 2>/dev/null || true
  row "QEMU alone, rtc=$1, first word" "$begin" "$end"
}
# A folder as root file system, of the same busybox.
peer() {
  [ -x /root/package/bin/msb ] || return 0
  local begin
  begin=$(now)
  HOME=/root/peer /root/package/bin/msb run --no-net -q --memory 256M -c 1 /root/rootfs -- /bin/true >/dev/null 2>&1 || return 0
  row 'microsandbox run -- true' "$begin" "$(now)"
}
mkdir -p /root/peer /root/rootfs/bin /root/rootfs/etc
echo 'root:x:0:0:root:/root:/bin/sh' >/root/rootfs/etc/passwd
echo 'root:x:0:' >/root/rootfs/etc/group
banger vm run --rm --image tiny -- sh -c 'cat /bin/busybox' >/root/rootfs/bin/busybox
chmod +x /root/rootfs/bin/busybox
for name in sh true; do ln -sf busybox "/root/rootfs/bin/$name"; done
for round in 1 2 3; do
  bare off
  bare on
  begin=$(now)
  banger vm run --rm --image tiny -- true
  row 'banger vm run --rm -- true' "$begin" "$(now)"
  peer
done
