// The guest protocol: what `bangerd` and `banger-init` say to each other, and, with one session,
// what the CLI says on a stream connection. No CAF, no exceptions: this header is compiled into the
// guest. docs/guest-protocol.md tells it in prose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace banger::guest {

inline constexpr std::uint32_t protocol_version = 4;
/// The first one with `ask_ports` and `ask_health`. An older guest loses its place in the stream
/// when it hears a type that it does not know: it is not asked.
inline constexpr std::uint32_t questions_since = 2;
/// The same for `ask_clock` and `correct_clock`.
inline constexpr std::uint32_t clock_since = 4;
/// The first one with `part`: an older guest takes commands of one payload.
inline constexpr std::uint32_t parts_since = 4;
inline constexpr std::uint32_t urgent_since = 4;
inline constexpr std::size_t header_size = 24;
inline constexpr std::size_t max_payload = std::size_t{64} * 1024;
/// Of an `open_body`. Linux takes a quarter of the stack's limit, 2 MiB, and counts more for each
/// string than we do: what is longer cannot be executed.
inline constexpr std::size_t max_open = std::size_t{2048 + 64} * 1024;
/// Bytes of one stream that may be under way, sent but not acknowledged. Both sides keep to it.
inline constexpr std::uint64_t window = std::uint64_t{512} * 1024;
/// Up to so many bytes of stdin the guest reports what the command has read as it reads. After
/// that it is given as much as its pipe holds, and `taken` comes only at the end.
inline constexpr std::uint64_t counted_input = std::uint64_t{64} * 1024;

enum class frame_type : std::uint8_t {
  // The channel itself (session 0).
  hello = 1, ///< guest → host: `hello_body`. Sent when the channel opens, and in answer to `sync`
  sync = 2,  ///< host → guest: `sync_body`. First frame of every connection; resets both parsers
  configure = 3,  ///< host → guest: `configure_body`. Once per boot or restore
  configured = 4, ///< guest → host: `configured_body`
  reidentify = 5, ///< host → guest: `configure_body` without disks, for a restored guest
  reidentified = 6,
  ping = 7, ///< host → guest: any payload ≤ 64 bytes, comes back in `pong`
  pong = 8,
  grow = 9,      ///< host → guest: `disk_body`: the disk was made larger, grow its file system
  grown = 10,    ///< guest → host: `grown_body`
  poweroff = 11, ///< host → guest: sync, unmount, power off. `stopping` comes after the sync
  stopping = 12,
  failed = 13,        ///< guest → host: `failed_body`, on the session of the request that failed
  log = 14,           ///< guest → host: one line of text, for the VM's log
  await_boot = 15,    ///< host → guest: tell when the image's init is done; answered by `booted`
  booted = 16,        ///< guest → host: `booted_body`
  ask_ports = 17,     ///< host → guest: `question_body`: who listens; answered by `ports`
  ports = 18,         ///< guest → host: `ports_body`
  ask_health = 19,    ///< host → guest: `question_body`: a sign of life; answered by `health`
  health = 20,        ///< guest → host: `health_body`
  ask_clock = 21,     ///< host → guest: `question_body`: the wall clock; answered by `clock`
  clock = 22,         ///< guest → host: `clock_body`
  correct_clock = 23, ///< host → guest: `correction_body`. No answer, unless it failed

  // Sessions (session ≥ 1), one per executed command.
  open = 32,   ///< host → guest: `open_body`, or its end: `offset` bytes went before, in `part`s
  opened = 33, ///< guest → host: `opened_body`
  data = 34,   ///< both ways: bytes of `stream`; `offset` is the position of the first
  eof = 35,    ///< both ways: `stream` ends at `offset`
  ack = 36, ///< both ways: all bytes of `stream` before `offset` were consumed, not only received
  signal = 37, ///< host → guest: `signal_body`
  resize = 38, ///< host → guest: `resize_body`
  exited = 39, ///< guest → host: `exited_body`, after the eof of stdout and stderr
  attach = 40, ///< host → guest: `attach_body`: send again what was not acknowledged, from there
  close = 41,  ///< host → guest: end the command if it runs, and forget the session
  taken = 42,  ///< guest → host: the command has read all bytes of stdin before `offset`, and not
               ///< only been given them. First before `opened`, last before `exited`
  part = 43, ///< host → guest: bytes of an `open_body` from `offset` on. One is put together at a
             ///< time: `offset` 0 drops what is left of another
  urgent = 44, ///< host → guest: the byte of stdin at `offset` is this one, which a terminal may
               ///< take for a signal. If it does, what comes before it is flushed, as it does
};

enum class stream_id : std::uint8_t { in = 0, out = 1, err = 2 };

/// The fixed part of a frame, little endian on the wire:
/// u16 magic "bG", u8 type, u8 stream, u32 session, u32 length, u32 crc32 of the other 20 bytes,
/// u64 offset.
struct header {
  frame_type type{};
  stream_id stream = stream_id::in;
  std::uint32_t session = 0;
  std::uint32_t length = 0; ///< payload bytes after the header, ≤ max_payload
  std::uint64_t offset = 0;
};

struct frame {
  header head;
  std::string payload;
};

/// A frame whose payload still lies in the parser.
struct frame_view {
  header head;
  std::string_view payload;
};

/// Appends header and payload to `out`. `h.length` is set from the payload. The payload must not be
/// longer than max_payload: the caller checks, nothing is appended otherwise.
void encode(std::string& out, header h, std::string_view payload);

/// The header alone, as it is, into header_size bytes at `out`.
void encode_header(char* out, const header& h);

/// Reads the header at the front of `bytes` (≥ header_size); nothing if magic, crc, type, stream or
/// length are wrong.
std::optional<header> decode_header(std::string_view bytes);

/// Takes bytes in, gives whole frames out. After `desync()` and at first it looks for the one frame
/// type that may start a conversation, and drops everything before it; so a connection that was cut
/// in the middle of a frame heals. `broken()` after a bad header.
class parser {
public:
  explicit parser(frame_type first) : first_(first) {}

  void feed(std::string_view bytes);
  /// The same without a copy: room for `size` bytes, of which `commit` says how many came.
  char* prepare(std::size_t size);
  void commit(std::size_t size);
  std::optional<frame> next();
  /// As `next`, without a copy; good until the next `feed`.
  std::optional<frame_view> next_view();
  bool broken() const { return broken_; }
  void desync();
  std::size_t buffered() const { return end_ - at_; }

private:
  bool find_first();
  std::string_view rest() const { return {buffer_.data() + at_, end_ - at_}; }

  frame_type first_;
  bool searching_ = true;
  bool broken_ = false;
  std::string buffer_; ///< never shrinks; what counts lies from at_ to end_
  std::size_t at_ = 0, end_ = 0;
};

// -- Bodies. Each has encode(const T&) -> string and decode<T>(bytes) -> optional<T>, strict: a
// body with bytes missing or left over, or with a value outside its enumeration, is refused.
// Integers are little endian, strings and lists have a u32 count before them, fields travel in the
// order below.

struct hello_body {
  std::uint32_t protocol = protocol_version;
  std::string agent;       ///< build of banger-init
  std::string kernel;      ///< uname release
  std::uint64_t epoch = 0; ///< from the `sync` that this answers, 0 if none came yet
  bool configured = false;
  std::uint64_t uptime_us = 0;
  std::vector<std::uint32_t> sessions; ///< that still exist
};

struct sync_body {
  std::uint64_t epoch = 0; ///< random, ≠ 0, new for each connection
};

enum class disk_role : std::uint8_t {
  root = 0,    ///< ext4, read-write, plain
  base = 1,    ///< ext4, read-only: lower layer of an overlay
  upper = 2,   ///< ext4, read-write: upper layer of that overlay
  work = 3,    ///< ext4, read-write, on /root
  modules = 4, ///< ext4, read-only, on /lib/modules/VERSION unless the image has it
};

struct disk_body {
  std::uint32_t index = 0; ///< 0 is vda
  disk_role role = disk_role::root;
};

/// Everything particular to a VM. Empty strings mean "leave as it is".
struct configure_body {
  std::string hostname;
  std::string machine_id; ///< 32 hexadecimal digits
  std::string seed; ///< ≥ 32 bytes of entropy: credited, then the kernel's generator is reseeded
  std::uint64_t realtime_ns = 0; ///< host clock, Unix epoch; it sets no clock back
  std::vector<disk_body> disks;
  std::string mac;     ///< aa:bb:cc:dd:ee:ff
  std::string address; ///< a.b.c.d/len; empty: no network
  std::string gateway;
  std::vector<std::string> dns;
  std::vector<std::string> authorized_keys; ///< lines for /root/.ssh/authorized_keys
  std::string init; ///< path in the new root to exec as PID 1; empty: banger-init stays PID 1
};

struct configured_body {
  std::uint64_t uptime_us = 0;
  std::uint64_t root_us = 0;      ///< from `configure` to root mounted
  std::uint64_t work_bytes = 0;   ///< size of the work file system after growing, 0 if none
  std::vector<std::string> notes; ///< what was left out and why, for people
};

struct grown_body {
  std::uint64_t bytes = 0;
};

/// `state` as `systemctl is-system-running` says it: running, degraded, maintenance, ...; "running"
/// where banger-init is the init itself, "unknown" for an init that does not say when it is done.
struct booted_body {
  std::string state;
};

/// Questions may overlap: the answer says which one it answers.
struct question_body {
  std::uint64_t number = 0;
};

enum class transport_protocol : std::uint8_t { tcp = 0, udp = 1 };

/// A socket that waits for peers.
struct listener_body {
  transport_protocol protocol = transport_protocol::tcp;
  std::string address; ///< as inet_ntop writes it: "0.0.0.0", "::", "127.0.0.1"
  std::uint16_t port = 0;
  std::uint32_t pid = 0; ///< of the process that holds it, 0: none was found
  std::string process;   ///< its name, at most 15 bytes
};

/// Of the network namespace that the agent is in, by protocol, port, address.
struct ports_body {
  std::uint64_t number = 0;
  std::vector<listener_body> listeners; ///< at most `most_listeners`
  std::uint32_t left_out = 0;           ///< further ones
};
inline constexpr std::size_t most_listeners = 512;

struct health_body {
  std::uint64_t number = 0;
  std::uint64_t uptime_us = 0;
  std::uint32_t load_1 = 0, load_5 = 0, load_15 = 0;     ///< hundredths
  std::uint64_t memory_bytes = 0, memory_free_bytes = 0; ///< free: MemAvailable
};

/// What keeps the guest's wall clock.
enum class clock_keeper : std::uint8_t {
  host = 0,  ///< the host, by `correct_clock`
  ntp = 1,   ///< a program in the guest that disciplines the kernel's clock
  guest = 2, ///< something in the guest that set it since the host did
};

struct clock_body {
  std::uint64_t number = 0;
  std::uint64_t realtime_ns = 0; ///< guest clock, Unix epoch
  clock_keeper keeper = clock_keeper::host;
};

enum class correction : std::uint8_t {
  step = 0, ///< at once
  slew = 1, ///< by adjtime: at most 0.5 ms a second, never backwards
};

struct correction_body {
  correction how = correction::step;
  std::uint64_t delta_ns = 0; ///< to add to the clock, two's complement
};

struct failed_body {
  frame_type request{};
  std::uint32_t error_number = 0; ///< errno, 0 if none
  std::string text;               ///< what and why, one line
};

struct open_body {
  std::vector<std::string> argv; ///< as it is, no shell; argv[0] is searched in PATH. Empty: root's
                                 ///< login shell, only with a terminal
  std::vector<std::string> env;  ///< NAME=value, on top of PATH, HOME, USER, LANG
  std::string cwd;               ///< empty: /root, else /
  bool has_stdin = true;         ///< false: /dev/null
  bool tty = false;
  std::uint16_t rows = 0, cols = 0;
};

struct opened_body {
  std::uint32_t pid = 0;
};

struct signal_body {
  std::uint32_t number = 0;
};

struct resize_body {
  std::uint16_t rows = 0, cols = 0;
};

enum class exit_kind : std::uint8_t {
  exited = 0,      ///< status 0–255
  signalled = 1,   ///< signal number
  not_found = 2,   ///< argv[0] does not exist; errno
  not_runnable = 3 ///< it exists but cannot be executed; errno
};

struct exited_body {
  exit_kind kind = exit_kind::exited;
  std::uint32_t value = 0;
};

struct attach_body {
  std::uint64_t out = 0, err = 0; ///< bytes consumed so far
};

template <class Body>
std::string encode(const Body& body);
template <class Body>
std::optional<Body> decode(std::string_view payload);

} // namespace banger::guest
