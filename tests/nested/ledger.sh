# shellcheck shell=bash
# The ledger of `run power`, and the lanes that write it: see power.sh.
# A line: ROUND LANE begin|ack|fail|found OP VM [ARGUMENT]. VM is a key that a rename does not change.

# -- the model: what the ledger says ---------------------------------------------------------------

declare -A name_of=() state_of=() writes_of=() size_of=() id_of=() flight_of=()
newest=0

# LANE begin|ack|fail|found OP VM [ARGUMENT]
apply() {
  local what=$2 op=$3 vm=$4 argument=${5:-}
  case $what in
    begin)
      flight_of[$vm]="$op $argument"
      [ "$op" != create ] || newest=$((newest > ${vm#?} ? newest : ${vm#?}))
      return
      ;;
    fail) return ;;
  esac
  unset "flight_of[$vm]"
  case $op in
    create) # STATE:BYTES:ID
      name_of[$vm]=$vm
      writes_of[$vm]=0
      IFS=: read -r "state_of[$vm]" "size_of[$vm]" "id_of[$vm]" <<<"$argument"
      ;;
    start) state_of[$vm]=running ;;
    stop) state_of[$vm]=stopped ;;
    write) writes_of[$vm]=$argument ;;
    rename) name_of[$vm]=$argument ;;
    grow) size_of[$vm]=$argument ;;
    delete) state_of[$vm]=gone ;;
    state) state_of[$vm]=$argument ;; # found only
  esac
}

note() {
  local words
  read -ra words <<<"$*"
  apply "${words[@]:1}"
  echo "$*" >>"$ledger"
  [ -z "${bell:-}" ] || echo "$*" >&"$bell"
}

# Keys of a lane's VMs that are there.
alive() {
  local vm
  for vm in "${!state_of[@]}"; do
    case $vm in "$1"*) [ "${state_of[$vm]}" = gone ] || echo "$vm" ;; esac
  done | sort -V
}

# -- what is done in a round -----------------------------------------------------------------------

# Sets op, vm, argument, command.
plan_create() {
  local more=$1
  op=create vm=$lane$((++newest)) argument=$((64 + 32 * (RANDOM % 4)))M
  command="banger vm create --image tiny --name $vm --disk-size $argument -q --json $more"
}
plan_start() { op=start argument='' command="banger vm start ${name_of[$vm]} -q"; }
plan_stop() { op=stop argument='' command="banger vm stop ${name_of[$vm]} -q"; }
plan_delete() { op=delete argument='' command="banger vm delete ${name_of[$vm]} -q"; }
plan_rename() { op=rename argument=$vm-$((RANDOM % 10000)) command="banger vm rename ${name_of[$vm]} $argument"; }
plan_grow() {
  op=grow argument=$((size_of[$vm] + 33554432))
  command="banger vm set ${name_of[$vm]} --disk-size $((argument >> 20))M -q"
}
# On both of its disks.
plan_write() {
  op=write argument=$((writes_of[$vm] + 1))
  command="banger vm exec ${name_of[$vm]} -n -- sh -c 'for d in /root/w /var/w; do mkdir -p \$d; seq $argument $((argument + 2000)) >\$d/$argument; done; sync'"
}

plan() {
  local there dice least=2 most=3 boots=60
  mapfile -t there < <(alive "$lane")
  [ "$lane" = a ] || { least=3 most=6 boots=0; }
  if [ ${#there[@]} -lt $least ] || { [ ${#there[@]} -lt $most ] && [ $((RANDOM % 6)) = 0 ]; }; then
    plan_create "$([ "$lane" = a ] || echo --no-start)"
    return
  fi
  vm=${there[RANDOM % ${#there[@]}]} dice=$((RANDOM % 100))
  if [ "${state_of[$vm]}" = running ]; then
    case $((dice < 50 ? 0 : dice < 70 ? 1 : dice < 85 ? 2 : 3)) in
      0) plan_write ;;
      1) plan_stop ;;
      2) plan_rename ;;
      3) plan_delete ;;
    esac
  elif [ "$dice" -lt $boots ]; then
    plan_start
  else
    case $((RANDOM % 3)) in
      0) plan_rename ;;
      1) plan_grow ;;
      2) plan_delete ;;
    esac
  fi
}

# What is remembered of a command that has succeeded.
outcome() {
  [ "$op" = create ] || { echo "$argument"; return; }
  local id state=running
  id=$(sed -n 's/.*"id": "\([0-9a-f]*\)".*/\1/p' <<<"$1")
  [ "$lane" = a ] || state=created
  echo "$state:$((${argument%M} << 20)):$id"
}

# Each line is a command; its exit code and its words are the answer.
executor='while IFS= read -r line; do
  said=$(eval "$line" 2>&1 </dev/null)
  printf "%s %s\n" $? "${said//$'"'\\n'"'/ }"
done'

lane() {
  local round=$1 lane=$2 op vm argument command status said
  RANDOM=$(((seed + 131 * round + $(printf %d "'$lane")) % 32768))
  trap '' PIPE
  rm -f "$work/in.$lane" "$work/out.$lane"
  mkfifo "$work/in.$lane" "$work/out.$lane"
  timeout -k 1 900 "$banger" vm exec nest "${around[@]}" -- bash -uo pipefail -c "$executor" <"$work/in.$lane" >"$work/out.$lane" 2>/dev/null &
  exec 3>"$work/in.$lane" 4<"$work/out.$lane"
  while :; do
    plan
    note "$round $lane begin $op $vm $argument"
    printf '%s\n' "$command" >&3 2>/dev/null || break
    IFS=' ' read -r status said <&4 || break
    if [ "$status" != 0 ]; then
      note "$round $lane fail $op $vm $argument: exit code $status: $said"
      break
    fi
    note "$round $lane ack $op $vm $(outcome "$said")"
  done
  exec 3>&- 4<&-
  wait
}
