#include "tests/transport/peers.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace banger::test {

using clock = std::chrono::steady_clock;

namespace {

int millis_until(clock::time_point end) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - clock::now());
  return static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0));
}

bool readable(int fd, int millis) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, millis) == 1;
}

} // namespace

folder::folder() {
  char name[] = "/tmp/banger-transport-XXXXXX";
  if (::mkdtemp(name) == nullptr)
    throw std::runtime_error("no temporary folder");
  path = name;
}

folder::~folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

server_process::server_process(const std::filesystem::path& socket, std::vector<std::string> flags)
    : errors_(socket.string() + ".stderr-" + std::to_string(::getpid())) {
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0)
    throw std::runtime_error("no pipes");
  std::vector<char*> argv{const_cast<char*>(TRANSPORT_TEST_SERVER),
                          const_cast<char*>(socket.c_str())};
  for (auto& flag : flags)
    argv.push_back(flag.data());
  argv.push_back(nullptr);
  const int errors = ::open(errors_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  pid = ::fork();
  if (pid == 0) {
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    ::dup2(errors, 2);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  ::close(errors);
  input_ = in[1];
  output_ = out[0];
  first_line = line("");
  std::string word;
  std::istringstream(first_line) >> word >> gateway >> vms >> system >> operations >> images;
}

server_process::~server_process() {
  end();
  ::close(output_);
}

int server_process::end() {
  if (input_ >= 0)
    ::close(std::exchange(input_, -1));
  return pid > 0 ? wait() : 0;
}

std::size_t server_process::descriptors() const {
  const std::filesystem::directory_iterator all("/proc/" + std::to_string(pid) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(all), std::filesystem::end(all)));
}

double server_process::cpu_seconds() const {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::vector<std::string> all{std::istream_iterator<std::string>(fields), {}};
  return (std::stod(all.at(11)) + std::stod(all.at(12))) /
         static_cast<double>(::sysconf(_SC_CLK_TCK));
}

bool server_process::read_more(std::chrono::milliseconds patience) {
  char chunk[4096];
  if (!readable(output_, static_cast<int>(patience.count())))
    return false;
  const auto size = ::read(output_, chunk, sizeof chunk);
  if (size <= 0)
    return false;
  buffer_.append(chunk, static_cast<std::size_t>(size));
  return true;
}

std::string server_process::line(std::string_view beginning, std::chrono::milliseconds patience) {
  const auto end = clock::now() + patience;
  for (;;) {
    for (auto stop = buffer_.find('\n'); stop != std::string::npos; stop = buffer_.find('\n')) {
      auto found = buffer_.substr(0, stop);
      buffer_.erase(0, stop + 1);
      if (found.compare(0, beginning.size(), beginning) == 0)
        return found;
    }
    if (!read_more(std::chrono::milliseconds(millis_until(end))))
      return {};
  }
}

void server_process::kill() { ::kill(pid, SIGKILL); }

int server_process::wait() {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  pid = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool server_process::alive() const {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

std::uint64_t server_process::rss_kib() const {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;)
    if (word == "VmRSS:") {
      std::uint64_t size = 0;
      status >> size;
      return size;
    }
  return 0;
}

std::string server_process::stderr_text() const {
  std::ifstream file(errors_);
  return {std::istreambuf_iterator<char>(file), {}};
}

bytes& bytes::number(std::uint64_t value, std::size_t size) {
  for (auto shift = size * 8; shift > 0; shift -= 8)
    data += static_cast<char>(value >> (shift - 8) & 0xff);
  return *this;
}

bytes& bytes::length(std::uint32_t value) {
  for (; value > 0x7f; value >>= 7)
    data += static_cast<char>((value & 0x7f) | 0x80);
  data += static_cast<char>(value);
  return *this;
}

bytes& bytes::text(std::string_view value) {
  return length(static_cast<std::uint32_t>(value.size())).raw(value);
}

bytes& bytes::raw(std::string_view value) {
  data += value;
  return *this;
}

std::string frame(frames::operation what, std::uint8_t flags, std::uint64_t message,
                  std::uint64_t source, std::uint64_t dest, std::string_view payload) {
  return bytes{}
      .number(static_cast<std::uint64_t>(what), 1)
      .number(0, 2)
      .number(flags, 1)
      .number(payload.size(), 4)
      .number(message, 8)
      .number(source, 8)
      .number(dest, 8)
      .raw(payload)
      .data;
}

std::string node_of(std::uint32_t pid) {
  std::uint64_t atom = 0xf;
  constexpr std::string_view alphabet =
      " 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
  for (const char c : std::string_view("default"))
    atom = atom << 6 | alphabet.find(c);
  return bytes{}.number(atom, 8).number(pid, 4).raw(std::string(20, 'h')).data;
}

std::string message(std::string_view types, std::string_view content) {
  return bytes{}.number(0, 1).number(0, 2).text(types).raw(content).data;
}

raw_peer::raw_peer(const std::filesystem::path& path) {
  socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("cannot connect to the server under test");
  const timeval patience{10, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

raw_peer::~raw_peer() { ::close(socket); }

bool raw_peer::say(std::string_view data) {
  while (!data.empty()) {
    const auto size = ::send(socket, data.data(), data.size(), MSG_NOSIGNAL);
    if (size <= 0)
      return false;
    data.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

void raw_peer::greet() {
  say(frame(frames::operation::client_handshake, 0, 0, 0, 0,
            node_of(static_cast<std::uint32_t>(::getpid()))));
}

bool raw_peer::closed_within(std::chrono::milliseconds patience) {
  const auto end = clock::now() + patience;
  char chunk[4096];
  while (readable(socket, millis_until(end)))
    if (::read(socket, chunk, sizeof chunk) <= 0)
      return true;
  return false;
}

std::string raw_peer::hear(std::size_t size) {
  std::string heard(size, '\0');
  std::size_t done = 0;
  while (done < size && readable(socket, 5000)) {
    const auto got = ::read(socket, heard.data() + done, size - done);
    if (got <= 0)
      break;
    done += static_cast<std::size_t>(got);
  }
  heard.resize(done);
  return heard;
}

void raw_peer::hear_greeting() {
  const auto head = hear(frames::header_size);
  const auto payload = hear(frames::decode(head).payload);
  std::copy_n(payload.begin(), std::min(payload.size(), server.size()), server.begin());
}

double time_scale() {
  const char* text = std::getenv("BANGER_TEST_TIME_SCALE");
  return text == nullptr ? 1 : std::max(1.0, std::atof(text));
}

double micros_since(clock::time_point start) {
  return std::chrono::duration<double, std::micro>(clock::now() - start).count();
}

} // namespace banger::test
