# shellcheck shell=bash
# What `run power` does: cuts the power of the nested machine while banger works in it, and compares what its next boot
# finds with a ledger of acknowledgements that is kept outside.
#
# Two lanes give commands to the banger inside, each one command at a time: the first boots VMs and writes in them, the
# second makes, renames, grows and deletes VMs that do not run. A lane writes `begin` into the ledger before a command
# goes in, and `ack` when its exit code 0 came out, and only then goes on: a line proves that what it says came before the
# cut, and at most one command of each lane is in between. The cut is SIGKILL to the outer hypervisor: its guest's page
# cache is gone, its disk is what was written.
#
# What the ledger is and how the lanes write it: ledger.sh.
. "$here/ledger.sh"
inner_home=/srv/power
# A guest of a guest is slow, more so on a busy host.
around=(--env "HOME=$inner_home" --env XDG_RUNTIME_DIR=/run/power --env BANGER_TEST_TIME_SCALE=8)

# -- inside of the machine -------------------------------------------------------------------------

inside() {
  "$banger" vm exec nest "${around[@]}" -n -- bash -uo pipefail -c "$@"
}

# The machine boots; its KVM was proven in the first boot.
power_on() {
  [ "$("$banger" vm list | awk '$2 == "nest" {print $3}')" = running ] || "$banger" vm start nest -q >/dev/null ||
    die "the machine does not boot"
  inside '
    modprobe -a kvm_amd 2>/dev/null || modprobe -a kvm_intel || exit
    mkdir -p -m 700 /run/power
    [ -z "$1" ] || printf "%s\n" "$1" | sed "s/^boot_id .*/boot_id $(cat /proc/sys/kernel/random/boot_id)/" >"$HOME/.cache/banger/host"
  ' power_on "${host_facts:-}" || die "the machine is not ready"
}

clear_inside() {
  inside '[ ! -d "$HOME" ] || { banger vm list -q | xargs -r banger vm delete -q >/dev/null; banger daemon stop 2>/dev/null; rm -rf "$HOME"; }'
}

prepare_inside() {
  clear_inside
  inside '
    umask 077
    mkdir -p "$HOME/.cache/banger" "$HOME/.local/state/banger"
    cp -a --sparse=always /root/.cache/banger/kernels "$HOME/.cache/banger/"
    cp -a --sparse=always /root/.local/state/banger/images "$HOME/.local/state/banger/"
    banger vm run --rm --image tiny -q -- true >/dev/null && sync' || die "the banger inside does not work"
  host_facts=$(inside 'cat "$HOME/.cache/banger/host"')
}

# -- the cut ---------------------------------------------------------------------------------------

hypervisor_pid() { sed -n 's/^pid //p' "$HOME"/.local/state/banger/vms/"$("$banger" vm list | awk '$2 == "nest" {print $1}')"*/process; }

# After so many acknowledgements of one lane, and so many milliseconds: half of the time none.
cut_power() {
  local round=$1 counted=0 line pid lanes
  RANDOM=$(((seed + 131 * round) % 32768))
  local whose=a wanted=$((1 + RANDOM % 4)) delay=$((RANDOM % 2 ? RANDOM % 3000 : 0))
  [ $((RANDOM % 3)) != 0 ] || { whose=b wanted=$((1 + RANDOM % 20)); }
  moment="after $wanted acknowledgements of lane $whose and $delay ms"
  pid=$(hypervisor_pid)
  lane "$round" a &
  lanes=$!
  lane "$round" b &
  lanes="$lanes $!"
  while [ $counted -lt $wanted ]; do
    IFS= read -r -t 600 line <&"$bell" || die "no command ended within 600 s"
    case $line in
      "$round $whose ack "*) counted=$((counted + 1)) ;;
      "$round "?" fail "*) die "a command failed without any cut" ;;
    esac
  done
  sleep "$(printf '%d.%03d' $((delay / 1000)) $((delay % 1000)))"
  kill -KILL "$pid"
  # shellcheck disable=SC2086
  wait $lanes || true
  "$banger" vm kill nest -q >/dev/null
  while IFS= read -r -t 0.01 line <&"$bell"; do :; done
  # What the lanes have written down.
  while read -ra line; do
    [ "${line[0]}" != "$round" ] || apply "${line[@]:1}"
  done <"$ledger"
}

# One cut in five has another one after it, in the recovery.
cut_again() {
  [ $((RANDOM % 5)) = 0 ] || return 0
  local delay=$((RANDOM % 3000)) first
  power_on
  inside 'banger vm list' >/dev/null 2>&1 &
  first=$!
  sleep "$(printf '%d.%03d' $((delay / 1000)) $((delay % 1000)))"
  kill -KILL "$(hypervisor_pid)"
  wait $first || true
  "$banger" vm kill nest -q >/dev/null
  moment="$moment, again $delay ms into the recovery"
}

# -- the comparison --------------------------------------------------------------------------------

# vm ID NAME STATE, folder ID BYTES-OF-WORK-DISK MAGIC-AND-SIZE-OF-ROOT-DISK, unknown ID, image BYTES
look_inside() {
  inside '
    banger vm list >/dev/null || exit
    for turn in $(seq 300); do
      banger vm list --json | grep -q "\"operation\": \"[^\"]" || break
      sleep 0.2
    done
    banger vm list | awk "NR > 1 {print \"vm\", \$1, \$2, \$3}"
    cd "$HOME/.local/state/banger"
    for folder in vms/*/; do
      [ -d "$folder" ] || continue
      work=$(stat -c %s "$folder/work.img" 2>/dev/null)
      magic=$(od -An -v -tx1 -N4 "$folder/root.qcow2" 2>/dev/null | tr -d " ")
      bytes=$(od -An -v -tx1 -j24 -N8 "$folder/root.qcow2" 2>/dev/null | tr -d " ")
      echo "folder $(basename "$folder") ${work:--} ${magic:--} $((0x0$bytes))"
    done
    grep -a unknown_vm bangerd.log | grep -aoE "vms/[0-9a-f]{12}" | sed "s,vms/,unknown ," | sort -u
    stat -c "image %s" images/tiny/rootfs-*.img'
}

# The states in which the next boot may find it.
may_be() {
  local vm=$1 op=${flight_of[$1]:-}
  case ${state_of[$vm]:-none} in
    created) echo created ;;
    stopped) echo stopped ;;
    error) echo error ;;
    running) echo error stopped ;;
    none) echo none created stopped error ;;
  esac
  case ${op%% *} in
    start | stop) echo stopped error ;;
    delete) echo none ;;
  esac
}

# The files of a VM that is there: FOLDER-LINE VM
check_files() {
  local vm=$2 _ id work magic bytes wanted flight
  read -r _ id work magic bytes <<<"$1"
  [ -n "$id" ] || { wrong "$vm has no folder"; return; }
  [ "$magic" = 514649fb ] || wrong "the root disk of $vm is not in qcow2 format (it begins with '$magic')"
  [ "$bytes" = "$image_bytes" ] || wrong "the root disk of $vm has $bytes bytes, its image $image_bytes"
  flight=${flight_of[$vm]:-}
  case $flight in
    create*) wanted=$(($(sed 's/create \([0-9]*\)M.*/\1/' <<<"$flight") << 20)) ;;
    grow*) wanted="${size_of[$vm]} ${flight#grow }" ;;
    *) wanted=${size_of[$vm]} ;;
  esac
  case " $wanted " in
    *" $work "*) ;;
    *) wrong "the work disk of $vm has '$work' bytes, expected: $wanted" ;;
  esac
  found_size=$work
}

wrong() { errors+=("$1"); }

# One VM of the ledger against what was found.
check_vm() {
  local vm=$1 flight names row id name state seen found_size=0
  flight=${flight_of[$vm]:-}
  names=${name_of[$vm]:-$vm}
  case $flight in rename*) names="$names ${flight#rename }" ;; esac
  row=$(awk -v names=" $names " '$1 == "vm" && index(names, " " $3 " ")' <<<"$found")
  [ "$(grep -c . <<<"$row")" -le 1 ] || wrong "$vm is listed twice"
  read -r _ id name state <<<"$row"
  state=${state:-none}
  case " $(may_be "$vm" | xargs) " in
    *" $state "*) ;;
    *) wrong "$vm is '$state'; the ledger says ${state_of[$vm]:-nothing}, in flight: ${flight:-nothing}" ;;
  esac
  if [ "$state" != none ]; then
    [ -z "${id_of[$vm]:-}" ] || [ "${id_of[$vm]}" = "$id" ] || wrong "$vm has another id, $id"
    check_files "$(awk -v id="$id" '$1 == "folder" && $2 == id' <<<"$found")" "$vm"
    known="$known $id"
  fi
  settle "$vm" "$id" "$name" "$state"
}

# What was in flight is known from here on.
settle() {
  local vm=$1 id=$2 name=$3 state=$4 flight=${flight_of[$1]:-}
  if [ "$state" = none ]; then
    note "$round - found delete $vm"
    return
  fi
  case $flight in
    create*) note "$round - found create $vm $state:$found_size:$id" ;;
    rename*) note "$round - found rename $vm $name" ;;
    grow*) note "$round - found grow $vm $found_size" ;;
  esac
  note "$round - found state $vm $state"
}

check_rest() {
  local _ id rest
  while read -r _ id rest; do
    case " $known " in
      *" $id "*) ;;
      *) wrong "listed, and the ledger knows of no such VM, or of its end: $id $rest" ;;
    esac
  done < <(grep '^vm ' <<<"$found")
  # Folders that no record knows: of creates that were cut off, and named.
  while read -r _ id rest; do
    case " $known " in *" $id "*) continue ;; esac
    case " ${id_of[*]} " in *" $id "*) wrong "a folder without a record, of an acknowledged VM: $id" ;; esac
    grep -qx "unknown $id" <<<"$found" || wrong "a folder without a record that the log does not name: $id"
    strays=$((strays + 1))
  done < <(grep '^folder ' <<<"$found")
  [ "$strays" -le "$cut_creates" ] || wrong "$strays folders without a record, and $cut_creates creates were cut off"
}

# It boots, and has what its guest has synced.
check_guest() {
  local vm=$1 name=${name_of[$1]} said
  note "$round v begin start $vm"
  said=$(inside '
    banger vm start "$1" -q >/dev/null &&
      banger vm exec "$1" -n -- sh -c "for d in /root/w /var/w; do
        for i in \$(seq 1 $2); do seq \$i \$((i + 2000)) | cmp - \$d/\$i || exit 9; done; done"' \
    check "$name" "${writes_of[$vm]}" 2>&1) ||
    { wrong "$vm does not start, or has lost what it synced (${writes_of[$vm]} writes): $said"; return; }
  note "$round v ack start $vm"
}

compare() {
  local vm vms errors=() known='' strays=0 image_bytes light=()
  mapfile -t vms < <(printf '%s\n' "${!state_of[@]}" "${!flight_of[@]}" | sort -Vu)
  found=$(look_inside) || die "the banger inside does not start"
  image_bytes=$(sed -n 's/^image //p' <<<"$found")
  flights=''
  for vm in "${vms[@]}"; do
    [ -n "$vm" ] || continue
    [ -z "${flight_of[$vm]:-}" ] || flights="$flights ${flight_of[$vm]%% *} $vm,"
    case ${flight_of[$vm]:-} in create*) cut_creates=$((cut_creates + 1)) ;; esac
    [ "${state_of[$vm]:-}" = gone ] || check_vm "$vm"
  done
  check_rest
  [ ${#errors[@]} = 0 ] || die "${errors[@]}"
  mapfile -t light < <(alive b)
  for vm in $(alive a) ${light:+"${light[RANDOM % ${#light[@]}]}"}; do check_guest "$vm"; done
  [ ${#errors[@]} = 0 ] || die "${errors[@]}"
}

# -- rounds ----------------------------------------------------------------------------------------

die() {
  printf 'FAILED: %s\n' "$@"
  echo "round $round, BANGER_TEST_SEED=$seed, cut ${moment:-not yet}, in flight${flights:- nothing}"
  echo "-- the ledger's end"
  tail -n 40 "$ledger"
  echo "-- what was found"
  echo "${found:-}"
  echo "-- the log inside"
  timeout 60 "$banger" vm exec nest -n -- tail -n 40 "$inner_home/.local/state/banger/bangerd.log" | tr -d "\0" || true
  # shellcheck disable=SC2046
  kill $(jobs -p) 2>/dev/null || true
  exit 1
}

power() {
  [ "${BANGER_TEST_LONG:-0}" = 1 ] || [ -n "${BANGER_TEST_CUTS:-}" ] || skip "only with scripts/test --long"
  local rounds seed round moment='' found='' flights='' began cut_creates=0 host_facts=''
  rounds=${BANGER_TEST_CUTS:-30}
  seed=${BANGER_TEST_SEED:-$((RANDOM * 32768 + RANDOM))}
  enter "$1"
  work=$stage/power ledger=$stage/power/ledger
  rm -rf "$work"
  mkdir -p "$work"
  : >"$ledger"
  mkfifo "$work/bell"
  exec {bell}<>"$work/bell"
  echo "$rounds cuts, BANGER_TEST_SEED=$seed"
  round=0
  power_on
  prepare_inside
  for round in $(seq "$rounds"); do
    began=$SECONDS
    cut_power "$round"
    cut_again
    power_on
    compare
    echo "round $round: cut $moment, in flight${flights:- nothing,} $(alive '' | wc -l) VMs are as acknowledged; $((SECONDS - began)) s"
  done
  clear_inside
  echo "$rounds cuts, $(grep -c ' ack ' "$ledger") acknowledgements, nothing lost"
}
