// Hidden: `io_test [bench]` measures the data path, agent → daemon → client, and back.
#include "actors/io/streams.hpp"
#include "io_fakes.hpp"

#include <array>
#include <cstdio>
#include <sys/resource.h>
#include <thread>

using namespace banger;
using namespace banger::io;
using namespace banger::io::test;

namespace {

constexpr std::uint64_t amount = 1024 * 1024 * 1024;

double thread_cpu_seconds() {
  rusage u{};
  ::getrusage(RUSAGE_THREAD, &u);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(u.ru_utime) + seconds(u.ru_stime);
}

/// Writes `amount` bytes of a stream, keeping to the window that the acks on `fd` open.
void produce(int fd, std::uint32_t session, stream_id stream, std::size_t size) {
  const std::string payload(size, 'x');
  std::string frame;
  std::string answers;
  std::uint64_t acked = 0;
  for (std::uint64_t at = 0; at < amount;) {
    while (at + size - acked > guest::window) {
      char buffer[4096];
      const auto n = ::recv(fd, buffer, sizeof buffer, 0);
      if (n <= 0)
        return;
      answers.append(buffer, static_cast<std::size_t>(n));
      while (answers.size() >= guest::header_size) {
        acked = std::max(acked, guest::decode_header(answers)->offset);
        answers.erase(0, guest::header_size);
      }
    }
    frame.clear();
    guest::encode(frame, {frame_type::data, stream, session, 0, at}, payload);
    for (std::size_t done = 0; done < frame.size();)
      done += static_cast<std::size_t>(::send(fd, frame.data() + done, frame.size() - done, 0));
    at += size;
  }
}

/// Reads frames until `amount` bytes came, acknowledging every quarter of a window.
void consume(int fd, std::uint32_t session, stream_id stream) {
  std::string rest;
  static thread_local std::array<char, 256 * 1024> buffer;
  std::uint64_t seen = 0, told = 0;
  while (seen < amount) {
    const auto n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n <= 0)
      return;
    rest.append(buffer.data(), static_cast<std::size_t>(n));
    std::size_t at = 0;
    while (rest.size() - at >= guest::header_size) {
      const auto h = guest::decode_header(std::string_view(rest).substr(at));
      if (rest.size() - at < guest::header_size + h->length)
        break;
      at += guest::header_size + h->length;
      seen += h->type == frame_type::data ? h->length : 0;
    }
    rest.erase(0, at);
    if (seen - told < guest::window / 4)
      continue;
    told = seen;
    std::string ack;
    guest::encode(ack, {frame_type::ack, stream, session, 0, told}, {});
    if (::send(fd, ack.data(), ack.size(), MSG_NOSIGNAL) < 0)
      return;
  }
}

} // namespace

TEST_CASE("the relay's throughput and processor time", "[.bench]") {
  const auto size = GENERATE(std::size_t{64 * 1024}, std::size_t{16 * 1024}, std::size_t{4096});
  const bool to_client = GENERATE(true, false);
  temporary_folder folder;
  reactor loop;
  auto server = serve_streams(loop, folder.path / "s.sock");
  REQUIRE(server);
  fake_machine m(loop);
  m.agent->hello();
  fake_client client(folder.path / "s.sock", (*server)->offer_exec(m.link, {}).token);
  const auto session = m.agent->expect(frame_type::open).head.session;
  const auto cpu = [&] {
    double seconds = 0;
    in_reactor(loop, [&] { seconds = thread_cpu_seconds(); });
    return seconds;
  };
  const auto cpu_before = cpu();
  const auto before = std::chrono::steady_clock::now();
  const int guest_fd = m.agent->fd.get();
  const int client_fd = client.fd.get();
  std::thread far([&] {
    if (to_client)
      produce(guest_fd, session, stream_id::out, size);
    else
      consume(guest_fd, session, stream_id::in);
  });
  if (to_client)
    consume(client_fd, 1, stream_id::out);
  else
    produce(client_fd, 1, stream_id::in, size);
  far.join();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - before;
  const auto mib = static_cast<double>(amount) / 1024 / 1024;
  std::printf("%s, %6zu-byte frames: %5.0f MiB/s, reactor %4.0f ms of CPU per GiB\n",
              to_client ? "guest to client" : "client to guest", size, mib / took.count(),
              (cpu() - cpu_before) * 1000);
}
