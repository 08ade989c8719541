// The landing pages: what a group is for, the command that covers most days, what comes next.
// Written to be read by people and by coding agents; every line with a `$` can be run as it is.
#pragma once

#include <string_view>

namespace banger::cli::help {

inline constexpr std::string_view root_intro =
    R"(banger runs commands in throw-away Linux machines: real microVMs with a kernel of their own.

Most days one command is enough. It boots a VM, runs the command in it, hands back its output and
exit status, and deletes the VM:
  $ banger vm run --rm -- uname -a

For a VM that stays:
  $ banger vm create --name box        make and boot it
  $ banger vm shell box                look around in it
  $ banger vm exec box -- df -h        run commands in it, as often as you like
  $ banger vm stop box                 its disks stay;  `banger vm start box` boots it again
  $ banger vm delete box               it and its disks are gone
)";

inline constexpr std::string_view root_outro =
    R"(Each has a page: `banger vm --help`, `banger vm run --help`. Standard input and output are passed
through as they are; the daemon starts by itself when it is needed.
Exit codes of `vm run` and `vm exec`: the command's own; 128+N if signal N ended it; 125 our own
failure; 126 not runnable; 127 not found. Everything else: 0, 1 on failure, 2 on wrong usage.
)";

inline constexpr std::string_view vm_intro =
    R"(banger vm: make, use and remove VMs.

Most days one command is enough: boot, run, hand back output and exit status, delete.
  $ banger vm run --rm -- sh -c 'echo hello; exit 3'
  $ tar c . | banger vm run --rm -- sh -c 'tar x && ls'
  $ banger vm run --rm                 a shell, if you have a terminal
)";

inline constexpr std::string_view vm_outro =
    R"(A VM is named by its name, its id, or the beginning of either if only one VM has it.

Next: `banger vm list` shows what is there, `banger vm logs VM` what a VM said while it booted,
`banger vm stats` what the VMs cost.
)";

inline constexpr std::string_view daemon_intro =
    R"(banger daemon: the background process `bangerd`, which owns the VMs.

It starts by itself when a command needs it, and leaves when it has had nothing to do for a while;
VMs live on without it.
  $ banger daemon status               is it there, what does it do, where are its files
)";

inline constexpr std::string_view daemon_outro =
    R"(Next: an error that ends in (op-xxxxxx) is explained by `banger daemon logs | grep op-xxxxxx`.
)";

inline constexpr std::string_view daemon_probe_examples =
    R"(Examples:
  $ banger daemon probe
)";

inline constexpr std::string_view image_intro =
    R"(banger image: what VMs boot from.

Most days there is nothing to do: an image is made when a VM first wants it. With more packages:
  $ banger image build work --include nodejs,ripgrep    Debian, and these beside
  $ banger vm run --rm --image work -- rg --version
)";
inline constexpr std::string_view image_outro =
    R"(Next: `banger image list` shows what is there and what could be made. An image file is never written
to: VMs keep the one they stand on, whatever is built later.
)";
inline constexpr std::string_view image_build_examples =
    R"(Examples:
  $ banger image build                           debian-bookworm, before a VM wants it
  $ banger image build work --include nodejs,ripgrep
  $ banger image build work --force              anew, with the packages it had
)";
inline constexpr std::string_view image_list_examples =
    R"(Examples:
  $ banger image list
  $ banger image list --json
)";
inline constexpr std::string_view image_delete_examples =
    R"(Examples:
  $ banger image delete work
)";

inline constexpr std::string_view operations_intro =
    R"(banger operations: what takes long (create, start, stop, kill, delete, an image build).

An operation goes on when the command that began it was cut off. Whoever knows its id comes back.
  $ banger operations                  what runs, what ended lately
)";

inline constexpr std::string_view operations_outro =
    R"(Next: `banger operations wait op-1a2b3c` shows the progress of one and ends as it does. The daemon
remembers the last hundred, until it ends itself.
)";

inline constexpr std::string_view operations_examples =
    R"(Examples:
  $ banger operations --json
  $ banger operations wait op-1a2b3c
  $ banger operations cancel 1a2b
)";

inline constexpr std::string_view config_intro =
    R"(banger config: what holds when no flag says otherwise.

~/.config/banger/config.toml is read, or /etc/banger/config.toml where a user has none. Every key
is optional; a key that is unknown or ill-typed is an error, never ignored.
  $ banger config show                 every key, its value, where it comes from
)";

inline constexpr std::string_view config_outro =
    R"(Next: write a key into the file, as in `log_level = "debug"`. Flags and variables win over it. The
daemon reads it when it starts: after a change, `banger daemon stop`; VMs live on.
)";

inline constexpr std::string_view config_show_examples =
    R"(Examples:
  $ banger config show
  $ banger config show --json
)";

inline constexpr std::string_view events_examples =
    R"(Examples:
  $ banger events
  $ banger events -f
  $ banger events --json | grep failed
The daemon remembers the last thousand, until it ends itself. Whoever reads too slowly is told how
many events he has missed; nobody waits for him.
)";

inline constexpr std::string_view debug_intro =
    R"(banger debug: for whoever looks for a bug.

  $ banger debug actors                which one is stuck, at which step, and since when
)";

inline constexpr std::string_view debug_outro =
    R"(Next: `banger daemon logs` has what led to it.
)";

inline constexpr std::string_view debug_actors_examples =
    R"(Examples:
  $ banger debug actors
  $ banger debug actors --json
)";

inline constexpr std::string_view completion_examples =
    R"(Examples:
  $ source <(banger completion bash)
  $ banger completion bash > ~/.local/share/bash-completion/completions/banger
  $ banger completion zsh > ~/.zfunc/_banger
  $ banger completion fish > ~/.config/fish/completions/banger.fish
Names of VMs and images come from the daemon if it runs; none is started, and no name is waited for
longer than 0.3 s.
)";

inline constexpr std::string_view run_examples =
    R"(Examples:
  $ banger vm run --rm -- uname -a
  $ seq 1000 | banger vm run --rm -- sha256sum
  $ banger vm run --name box --memory 1G -- sh -c 'echo kept > /root/note'
  $ banger vm exec box -- cat /root/note
  $ banger vm run -it --rm -- top
  $ banger vm run -d --name web && banger vm shell web
  $ banger vm run --rm --nested --image tiny -- grep -m 1 -c -w -E 'svm|vmx' /proc/cpuinfo
The command is run as it is, without a shell; write `-- sh -c '...'` for pipes and variables. Its
environment is the VM's own plus what --env adds. Without a command it is root's login shell, in a
terminal. Exit code: the command's own (128+N if signal N ended it), 125 if the VM could not be
made or was lost, 126 not runnable, 127 not found.
)";

inline constexpr std::string_view create_examples =
    R"(Examples:
  $ banger vm create --name box
  $ banger vm exec box -- hostname
  $ name=$(banger vm create) && banger vm delete "$name"
  $ banger vm create --wait none --name slow && banger operations
)";

inline constexpr std::string_view exec_examples =
    R"(Examples:
  $ banger vm exec box -- cat /proc/loadavg
  $ banger vm exec box --env LANG=C --cwd /tmp -- sh -c 'pwd; env'
  $ banger vm exec box -- tar c /root > root.tar
  $ banger vm exec -it box -- top
  $ while read -r name; do banger vm exec box -n -- mkdir -p "$name"; done < names
The command is run as it is, without a shell. Ctrl-C goes to the command; three within a second
give up on it, and so does one that the guest does not confirm within 5 s. With -t every key goes
to the command, and `~.` after a newline leaves. Exit code: the command's own (128+N if signal N
ended it), 125 our own failure, 126 not runnable, 127 not found.
Standard input goes to the command, also that of a script's loop: -n leaves it to the next round.
Without -n, lines that the command does not read are left as well, but for what a terminal gave,
and what lies more than 64 KiB into a pipe.
)";

inline constexpr std::string_view list_examples =
    R"(Examples:
  $ banger vm list
  $ banger vm delete $(banger vm list -q)
)";

inline constexpr std::string_view shell_examples =
    R"(Examples:
  $ banger vm shell box
  $ banger vm shell box --cwd /tmp --env EDITOR=vi
Every key goes to the shell. After a newline `~.` leaves and hangs up what runs in the session, `~?`
shows more, and `~~` sends one ~. Exit code: the shell's own, 129 after `~.`, 125 our own failure.
)";

inline constexpr std::string_view kill_examples =
    R"(Examples:
  $ banger vm kill box
  $ banger vm kill --signal TERM box web
  $ banger vm kill --force box
The default is KILL, as if the power failed. TERM, too, lets only the hypervisor end in order, not
the guest: what the guest has not written is lost. Use it when `banger vm stop box` hangs; with
--force it does not wait for that stop (or start, or restart) but ends it, and whatever waits.
)";

inline constexpr std::string_view set_examples =
    R"(Examples:
  $ banger vm stop box && banger vm set box --vcpu 2 --memory 2G && banger vm start box
  $ banger vm set box --disk-size 20G       a disk only grows
  $ banger vm set box --autostart           while it runs, or not
Autostart changes at any time, the NAT of a VM on the bridge too. CPUs, memory, disk, and the NAT of
a VM in user mode change only while it is stopped.
)";

inline constexpr std::string_view rename_examples =
    R"(Examples:
  $ banger vm rename box build-box
The guest is told its new name at its next start.
)";

inline constexpr std::string_view touch_examples =
    R"(Examples:
  $ banger vm touch box
With `auto_stop_stale_after` in config.toml a VM in which nobody runs a command is stopped after a
while. This counts as a command; `vm show` and `vm list` do not.
)";

inline constexpr std::string_view ps_examples =
    R"(Examples:
  $ banger ps
  $ banger ps -a
  $ banger vm stop $(banger ps -q)
)";

inline constexpr std::string_view stats_examples =
    R"(Examples:
  $ banger vm stats
  $ banger vm stats box --watch
  $ banger vm stats --json
CPU is in percent of one CPU, since somebody last asked; the first time since the VM began. DISK is
what is allocated on the host, of what the guest sees. Nothing is measured while nobody asks.
)";

inline constexpr std::string_view ports_examples =
    R"(Examples:
  $ banger vm ports box
  $ banger vm ports box web --json
ENDPOINT is the address in the guest's own network; "-" stands for what only the guest itself
reaches. Listeners of containers with a network of their own are not seen.
)";

inline constexpr std::string_view health_examples =
    R"(Examples:
  $ banger vm health box
  $ banger vm ping box web --json
Exit code: 0 if every guest answered, else 1.
)";

inline constexpr std::string_view console_examples =
    R"(Examples:
  $ banger vm console box
  $ banger vm logs box                 all that was said, and then no more
It shows and takes no input: `banger vm shell box` is for typing.
)";

inline constexpr std::string_view prune_examples =
    R"(Examples:
  $ banger vm prune
  $ banger vm prune -f
  $ banger vm prune --orphans
  $ banger vm prune --orphans -f 0a1b2c3d4e5f
A VM that runs, or that something is done to, is never touched; one that is started meanwhile stays.
With --orphans no VM is deleted, but folders that a loss of power or an older copy of the database
left without a record. `banger vm adopt ID` takes one back.
)";

inline constexpr std::string_view adopt_examples =
    R"(Examples:
  $ banger daemon status
  $ banger vm adopt 0a1b2c3d4e5f
  $ banger vm adopt 0a1b --name box
A loss of power in a create, or an older copy of the database, leaves such folders. What the VM was
is read from vm.json in its folder, as of its last start. It is stopped then, and running if its
hypervisor still runs. `banger vm prune --orphans ID` removes the folder instead.
)";

inline constexpr std::string_view refs_examples =
    R"(Several VMs may be named; those that can be found are handled even if others cannot.
)";

} // namespace banger::cli::help
