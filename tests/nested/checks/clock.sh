# long
# The guest's clock under KVM: right at its first command, after its hypervisor stood still, and after this machine's
# clock was set, which no other test may do. A round trip's uncertainty is taken off.
banger vm create --name a --image tiny -q
[ "$(banger vm exec a -- cat /sys/devices/system/clocksource/clocksource0/current_clocksource)" = kvm-clock ]
coproc guest { banger vm exec a -- sh -c 'while read line; do adjtimex; done'; }
# Sets off and half, in microseconds: the best of nine.
measure() {
  local before after seconds micros key value i
  half=999999999
  for i in 1 2 3 4 5 6 7 8 9; do
    before=${EPOCHREALTIME/./}
    echo >&"${guest[1]}"
    while IFS=: read -r -u "${guest[0]}" key value; do
      case $key in
      *tv_sec) seconds=${value//[!0-9]/} ;;
      *tv_usec) micros=${value//[!0-9]/} ;;
      *return*) break ;;
      esac
    done
    after=${EPOCHREALTIME/./}
    if ((after - before < 2 * half)); then
      half=$(((after - before) / 2))
      off=$((seconds * 1000000 + micros - before - half))
    fi
  done
  echo "$1: off by $off us, +- $half us"
}
right() {
  measure "$1"
  ((${off#-} - half < 50000))
}
right "at the first command"
pid=$(banger vm show a --json | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')
kill -STOP "$pid"
sleep 10
kill -CONT "$pid"
sleep 1
right "a second after 10 s of SIGSTOP"
date -s '60 seconds' >/dev/null
sleep 1
right "a second after this clock was set ahead by a minute"
date -s '-60 seconds' >/dev/null
sleep 1
right "a second after it was set back"
banger vm exec a -- date -s '2001-01-01 00:00:00' >/dev/null
date -s '60 seconds' >/dev/null
sleep 2
[ "$(banger vm exec a -- date +%Y)" = 2001 ]
date -s '-60 seconds' >/dev/null
kill "$guest_PID"
banger vm delete a -q
