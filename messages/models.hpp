// What is said between programs: plain structs of strings, integers, bools, vectors and each other.
// A struct that travels changes its fields only with a new protocol_version. The receiver's first
// act is to parse what it got into strong types (messages/base/names.hpp).
#pragma once

#include <caf/meta/type_name.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace banger::messages {

/// banger::failure on the wire.
struct error_info {
  std::uint8_t code = 0; ///< banger::errc, 0: no error
  std::string what, why, remedy, operation;
};

/// First thing said on a connection. This struct and its reply are the same in all versions.
struct hello_request {
  std::uint32_t protocol = 0;
  std::string version, commit;
  std::uint64_t build = 0;
};

struct hello_reply {
  std::uint32_t protocol = 0;
  std::string version, commit;
  std::uint64_t build = 0;
  std::uint32_t pid = 0;
};

/// A VM to be made. The daemon checks every field again.
struct create_request {
  std::string name; ///< empty: the daemon makes one up
  std::string image;
  std::int64_t vcpu = 0;
  std::int64_t memory_mib = 0;
  std::uint64_t disk_bytes = 0; ///< of the work disk
  bool nat = false;             ///< may the guest reach the network outside?
  bool ephemeral = false;       ///< deleted when the client that asked is gone (`--rm`)
  bool until_booted = false;    ///< ends when the image's init is done, not when the agent answers
  bool boot = true;             ///< false: made, and left for a later start
  bool autostart = false;       ///< started again with the host, if it ran when that went down
  bool nested = false;          ///< the guest may run KVM
};

/// `verb` of start, stop, restart, kill, delete on `ref`: an id, a name, or a prefix of either that
/// fits one VM only.
struct verb_request {
  std::string verb;
  std::string ref;
  bool until_booted = false; ///< of a start or restart
  std::string signal = {};   ///< of a kill, for the hypervisor: "KILL", "TERM", ...; empty: KILL
  bool force = false;        ///< of a kill: ends what the VM is doing, and what waits for it
  bool only_at_rest = false; ///< `bad_request` if it runs, or an operation of it is under way
};

/// What is to be changed of a VM; what is 0, -1 or empty stays as it is. Sizes and network need a
/// VM that does not run; a disk only grows.
struct set_request {
  std::string ref;
  std::string name;
  std::int64_t vcpu = 0, memory_mib = 0;
  std::uint64_t disk_bytes = 0;
  std::int8_t nat = -1, autostart = -1, nested = -1; ///< 0 or 1
};

struct exec_request {
  std::string ref;
  std::vector<std::string> argv; ///< empty: root's login shell, only with `tty`
  std::vector<std::string> env;  ///< NAME=value
  std::string cwd;
  bool has_stdin = true;
  bool tty = false; ///< stdin and stdout are one terminal of `rows` by `cols`; no stderr
  std::uint16_t rows = 0, cols = 0;
};

/// Back to a command whose stream was lost: `out` and `err` bytes have been received so far.
struct attach_request {
  std::string vm; ///< as in the ticket of the stream that was lost
  std::uint32_t session = 0;
  std::uint64_t out = 0, err = 0;
  bool owner = false; ///< the VM is ephemeral and lives for the asker from now on
};

struct logs_request {
  std::string ref;
  bool follow = false;
};

/// The operation has begun; its progress and end come as messages to the asker.
struct op_ticket {
  std::string op; ///< op-xxxxxx
  std::string vm; ///< id of the VM
};

/// Present `token` on the stream socket within 10 s, once, to get the stream.
struct stream_ticket {
  std::string token;         ///< 32 hexadecimal digits
  std::string vm;            ///< id, for `attach`
  std::uint32_t session = 0; ///< of the guest's agent, for `attach`; 0: cannot be attached again
};

/// An image to be made. The daemon checks every field again.
struct image_request {
  std::string name;
  std::vector<std::string> include; ///< packages beside those that it always has
  bool again = false;               ///< also if it is there; VMs keep the file they stand on
};

/// An image that is here, or could be made here.
struct image_view {
  std::string name;
  bool present = false;
  std::uint64_t bytes = 0;      ///< of its disk
  std::uint64_t used_bytes = 0; ///< allocated on the host
  std::uint64_t made_ms = 0;    ///< Unix epoch
  std::string about;            ///< one line for people
  std::vector<std::string> include;
  std::uint32_t vms = 0; ///< that were made from it
};

/// A long operation, running or ended a while ago.
struct operation_view {
  std::string op;
  std::string kind;   ///< vm.create, vm.start, vm.stop, vm.kill, vm.delete, image.build
  std::string target; ///< name of the VM or image
  std::string state;  ///< running | done | failed | cancelled
  std::string stage, detail;
  std::uint64_t began_ms = 0; ///< Unix epoch
  std::uint64_t elapsed_us = 0;
  error_info error;
};

/// A VM as a list shows it.
struct vm_view {
  std::string id, name;
  std::string state;     ///< created | running | paused | stopped | error
  std::string operation; ///< the step in progress, empty when idle
  std::uint32_t queued = 0;
  std::string image;
  std::uint32_t vcpu = 0;
  std::uint64_t memory_mib = 0, disk_bytes = 0;
  bool nat = false, ephemeral = false;
  std::uint64_t created_ms = 0; ///< Unix epoch
  bool autostart = false;
  std::uint64_t touched_ms = 0; ///< when it was last made use of; Unix epoch
  bool nested = false;
  std::string paused; ///< why the hypervisor has halted it; empty in all other states
};

/// Whether it has a machine, though perhaps a halted one.
inline bool has_machine(const vm_view& vm) { return vm.state == "running" || vm.state == "paused"; }

struct stage_time {
  std::string stage;
  std::uint64_t micros = 0;
  bool ours = true; ///< false: the hypervisor's or the guest's time
};

/// All that is known of a VM.
struct vm_detail {
  vm_view view;
  std::string folder; ///< disks, sockets and logs of this VM
  std::string last_error;
  std::uint32_t pid = 0; ///< of the VMM, 0 when it does not run
  std::string
      hypervisor; ///< "QEMU microvm (TCG)", with the reason if something better was passed over
  std::string root_disk;   ///< reflink | qcow2 | overlay
  std::string confinement; ///< what holds the VMM: "landlock, seccomp, uid 65534"
  std::string network;     ///< which one, and why
  std::string address;     ///< on the bridge, with its prefix: "10.213.0.2/20"; empty elsewhere
  std::string kernel;
  std::uint32_t start_retries = 0; ///< boots that hung and were tried again, in all
  std::vector<stage_time> last_start;
};

/// A stage of an operation began, or has news.
struct progress {
  std::string op;
  std::string stage;  ///< stable id: "kernel", "image", "root-disk", "launch", "hello", ...;
                      ///< "notice": `detail` is one line for the user, which is to stay
  std::string detail; ///< for people
  std::uint64_t elapsed_us = 0; ///< since the operation began
};

/// The end of an operation. `error.code` 0 is success.
struct finished {
  std::string op;
  error_info error;
  vm_view vm;
  std::vector<stage_time> stages;
};

/// A VM's folder that no record knows, as a loss of power or an older copy of the database leaves
/// it.
struct orphan_view {
  std::string id, folder;
  std::uint64_t used_bytes = 0; ///< allocated on the host
  std::uint32_t pid = 0;        ///< of its hypervisor, if that runs
  std::string name, image;      ///< by its vm.json; empty: that cannot be read
  std::string problem;          ///< why it cannot be taken back; empty: it can
};

/// An orphan is to be a VM again.
struct reclaim_request {
  std::string id;
  std::string name; ///< empty: the one that it had
};

struct daemon_status {
  std::uint32_t pid = 0, protocol = 0;
  std::string version, commit;
  std::uint64_t uptime_ms = 0;
  std::uint32_t vms = 0, running = 0, clients = 0, operations = 0, streams = 0;
  std::uint64_t stream_bytes_buffered =
      0; ///< held now for readers that are slower than their writers
  std::string hypervisor, root_disk, confinement;
  std::string state_folder, runtime_folder;
  std::string config_file;        ///< that it read when it started; empty: none
  std::uint64_t idle_exit_ms = 0; ///< 0: stays
  std::string no_names; ///< why NAME.vm is not answered for; empty: it is, or no VM has a bridge
  std::vector<orphan_view> orphans = {};
};

} // namespace banger::messages

// Fields in order, once, for the serializer and for the printer.
#define BANGER_INSPECT(type, ...)                                                                  \
  template <class Inspector>                                                                       \
  typename Inspector::result_type inspect(Inspector& f, type& x) {                                 \
    return f(caf::meta::type_name(#type), __VA_ARGS__);                                            \
  }

namespace banger::messages {

BANGER_INSPECT(error_info, x.code, x.what, x.why, x.remedy, x.operation)
BANGER_INSPECT(hello_request, x.protocol, x.version, x.commit, x.build)
BANGER_INSPECT(hello_reply, x.protocol, x.version, x.commit, x.build, x.pid)
BANGER_INSPECT(create_request, x.name, x.image, x.vcpu, x.memory_mib, x.disk_bytes, x.nat,
               x.ephemeral, x.until_booted, x.boot, x.autostart, x.nested)
BANGER_INSPECT(verb_request, x.verb, x.ref, x.until_booted, x.signal, x.force, x.only_at_rest)
BANGER_INSPECT(set_request, x.ref, x.name, x.vcpu, x.memory_mib, x.disk_bytes, x.nat, x.autostart,
               x.nested)
BANGER_INSPECT(exec_request, x.ref, x.argv, x.env, x.cwd, x.has_stdin, x.tty, x.rows, x.cols)
BANGER_INSPECT(attach_request, x.vm, x.session, x.out, x.err, x.owner)
BANGER_INSPECT(logs_request, x.ref, x.follow)
BANGER_INSPECT(op_ticket, x.op, x.vm)
BANGER_INSPECT(stream_ticket, x.token, x.vm, x.session)
BANGER_INSPECT(image_request, x.name, x.include, x.again)
BANGER_INSPECT(image_view, x.name, x.present, x.bytes, x.used_bytes, x.made_ms, x.about, x.include,
               x.vms)
BANGER_INSPECT(operation_view, x.op, x.kind, x.target, x.state, x.stage, x.detail, x.began_ms,
               x.elapsed_us, x.error)
BANGER_INSPECT(vm_view, x.id, x.name, x.state, x.operation, x.queued, x.image, x.vcpu, x.memory_mib,
               x.disk_bytes, x.nat, x.ephemeral, x.created_ms, x.autostart, x.touched_ms, x.nested,
               x.paused)
BANGER_INSPECT(stage_time, x.stage, x.micros, x.ours)
BANGER_INSPECT(vm_detail, x.view, x.folder, x.last_error, x.pid, x.hypervisor, x.root_disk,
               x.confinement, x.network, x.address, x.kernel, x.start_retries, x.last_start)
BANGER_INSPECT(progress, x.op, x.stage, x.detail, x.elapsed_us)
BANGER_INSPECT(finished, x.op, x.error, x.vm, x.stages)
BANGER_INSPECT(orphan_view, x.id, x.folder, x.used_bytes, x.pid, x.name, x.image, x.problem)
BANGER_INSPECT(reclaim_request, x.id, x.name)
BANGER_INSPECT(daemon_status, x.pid, x.protocol, x.version, x.commit, x.uptime_ms, x.vms, x.running,
               x.clients, x.operations, x.streams, x.stream_bytes_buffered, x.hypervisor,
               x.root_disk, x.confinement, x.state_folder, x.runtime_folder, x.config_file,
               x.idle_exit_ms, x.no_names, x.orphans)

} // namespace banger::messages
