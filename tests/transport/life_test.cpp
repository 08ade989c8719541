// How connections and servers begin and end.
#include "tests/support/catch.hpp"
#include "tests/transport/client_side.hpp"
#include "tests/transport/peers.hpp"

#include "messages/transport/socket.hpp"

#include <fstream>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace banger;
using namespace banger::test;
using clock_type = std::chrono::steady_clock;

namespace {

struct place {
  folder home;
  std::filesystem::path socket = home.path / "d.sock";
};

ino_t inode_of(const std::filesystem::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

// Forked, because a process cannot have its user back. Says what it got: 0 nothing and a closed
// connection, 1 bytes, 2 no connection.
int connect_as(uid_t uid, const std::filesystem::path& socket) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setresgid(uid, uid, uid) != 0 || ::setresuid(uid, uid, uid) != 0)
      ::_exit(3);
    int result = 2;
    try {
      raw_peer foreigner(socket);
      result = foreigner.hear(1).empty() ? 0 : 1;
    } catch (const std::runtime_error&) {
    }
    ::_exit(result);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

} // namespace

TEST_CASE_METHOD(place, "a socket is open to its owner only, from the first moment on") {
  server_process server(socket);
  struct stat info {};
  REQUIRE(::lstat(socket.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE_METHOD(place,
                 "another user is refused before a byte is said, whatever the mode of the socket") {
  if (::geteuid() != 0) {
    WARN("skipped: needs root to become another user");
    return;
  }
  server_process server(socket);
  ::chmod(home.path.c_str(), 0755);
  CHECK(connect_as(65534, socket) == 2);
  ::chmod(socket.c_str(), 0777);
  CHECK(connect_as(65534, socket) == 0);
  CHECK(server.line("refused") == "refused another user");
  CHECK(client(socket).served());
}

TEST_CASE_METHOD(place, "the socket of a daemon that was killed is replaced") {
  {
    server_process killed(socket);
    killed.kill();
    CHECK(killed.wait() == -SIGKILL);
  }
  REQUIRE(std::filesystem::exists(socket));
  server_process next(socket);
  CHECK(client(socket).served());
}

TEST_CASE_METHOD(place, "a second daemon is refused as long as the first lives, and says which") {
  server_process first(socket);
  const auto inode = inode_of(socket);
  for (int i = 0; i < 3; ++i) {
    server_process second(socket);
    CHECK(second.first_line.find("failed already_exists") == 0);
    CHECK(second.first_line.find("process " + std::to_string(first.pid)) != std::string::npos);
    CHECK(second.wait() == 1);
  }
  CHECK(inode_of(socket) == inode);
  CHECK(client(socket).served());
}

TEST_CASE_METHOD(place,
                 "a socket on which somebody answers is never taken away, even without its lock") {
  auto theirs = local::listen(socket);
  REQUIRE(theirs);
  std::filesystem::remove(socket.string() + ".lock");
  server_process late(socket);
  CHECK(late.first_line.find("failed already_exists") == 0);
  CHECK(std::filesystem::exists(socket));
}

TEST_CASE_METHOD(place, "a file that is no socket is not replaced") {
  std::ofstream(socket) << "precious";
  server_process server(socket);
  CHECK(server.first_line.find("failed bad_request") == 0);
  CHECK(std::filesystem::file_size(socket) == 8);
}

TEST_CASE_METHOD(place, "a daemon that ends takes its socket away, but not its successor's") {
  SECTION("its own") {
    {
      server_process server(socket);
      CHECK(server.end() == 0);
    }
    CHECK_FALSE(std::filesystem::exists(socket));
    server_process next(socket);
    CHECK(client(socket).served());
  }
  SECTION("not another one") {
    server_process server(socket);
    std::filesystem::remove(socket);
    std::ofstream(socket) << "another";
    CHECK(server.end() == 0);
    CHECK(std::filesystem::exists(socket));
  }
}

TEST_CASE("lesson 15: a path that is too long for a socket is a clear error on both sides") {
  client_node node;
  const std::filesystem::path path = "/tmp/" + std::string(120, 'x');
  auto connected = transport::connect(node.system, path, 1s);
  REQUIRE_FALSE(connected);
  CHECK(connected.error().code == errc::bad_request);
  server_process server("/tmp/" + std::string(120, 'y'));
  CHECK(server.first_line.find("failed bad_request") == 0);
}

TEST_CASE_METHOD(place, "connecting says what is wrong: no socket, or nobody behind it") {
  client_node node;
  SECTION("no socket") {}
  SECTION("nobody listens") {
    server_process server(socket);
    server.kill();
    server.wait();
  }
  auto connected = transport::connect(node.system, socket, 1s);
  REQUIRE_FALSE(connected);
  CHECK(connected.error().code == errc::not_found);
  CHECK(connected.error().remedy == "start bangerd");
}

TEST_CASE_METHOD(
    place, "one connection too many is closed at once, and a place that is left can be taken") {
  server_process server(socket, {"--max", "3"});
  client first(socket);
  {
    raw_peer second(socket), third(socket);
    second.hear_greeting();
    third.hear_greeting();
    for (int i = 0; i < 50; ++i)
      CHECK(raw_peer(socket).closed_within(1s));
    CHECK(server.line("refused") == "refused too many connections");
    client_node late;
    auto refused = transport::connect(late.system, socket, 1s);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::busy);
    CHECK(first.served());
  }
  CHECK(server.line("refused ") != ""); // of the two that never greeted
  CHECK(client(socket).served());
}

TEST_CASE_METHOD(place, "a daemon without descriptors sheds connections and does not spin") {
  server_process server(socket);
  client first(socket);
  const rlimit few{server.descriptors() + 2, 64};
  REQUIRE(::prlimit(server.pid, RLIMIT_NOFILE, &few, nullptr) == 0);
  std::vector<std::unique_ptr<raw_peer>> many;
  for (int i = 0; i < 20; ++i)
    many.push_back(std::make_unique<raw_peer>(socket));
  CHECK(many.back()->closed_within(2s));
  const auto before = server.cpu_seconds();
  CHECK_FALSE(many.front()->closed_within(500ms));
  CHECK(server.cpu_seconds() - before < 0.1 * time_scale());
  CHECK(first.served());
}

TEST_CASE_METHOD(place, "a connection that never greets is closed in time, one that did is not") {
  server_process server(socket, {"--handshake-ms", "200"});
  client steady(socket);
  raw_peer silent(socket), greeted(socket);
  greeted.greet();
  const auto start = clock_type::now();
  CHECK(silent.closed_within(2s));
  CHECK(micros_since(start) > 150'000);
  CHECK(micros_since(start) < 1'500'000 * time_scale());
  CHECK(server.line("refused") == "refused no handshake in time");
  CHECK_FALSE(greeted.closed_within(300ms));
  CHECK(steady.served());
}

TEST_CASE_METHOD(place, "what waits for a daemon fails at once when the daemon is killed") {
  server_process server(socket);
  client waiting(socket);
  std::thread killer([&] {
    std::this_thread::sleep_for(100ms);
    server.kill();
  });
  const auto start = clock_type::now();
  const auto answer = actor::call<op_ticket>(waiting.system, waiting.session.vms, 30s,
                                             begin_atom::value, verb_request{"start", "vm"});
  killer.join();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == errc::disconnected);
  CHECK(micros_since(start) < 1'000'000 * time_scale());
  SECTION("and so does what is asked afterwards") {
    const auto late =
        actor::call<daemon_status>(waiting.system, waiting.session.system, 30s, status_atom::value);
    REQUIRE_FALSE(late);
    CHECK(late.error().code == errc::disconnected);
  }
}

TEST_CASE_METHOD(place, "a client can come back to the next daemon from the same process") {
  client_node node;
  for (int i = 0; i < 5; ++i) {
    server_process server(socket);
    auto gateway = transport::connect(node.system, socket, 5s);
    REQUIRE(gateway);
    CHECK(transport::greet(node.system, *gateway, 5s));
    server.kill();
  }
}

TEST_CASE_METHOD(place, "connecting twice from one process reaches the same daemon") {
  server_process server(socket);
  client_node node;
  auto first = transport::connect(node.system, socket, 5s);
  REQUIRE(first);
  auto second = transport::connect(node.system, socket, 5s);
  if (second)
    CHECK(transport::greet(node.system, *second, 5s));
  else
    CHECK(second.error().code == errc::busy);
  CHECK(transport::greet(node.system, *first, 5s));
}

// From its end on: what the kernel takes to end it, a sanitizer's memory included, is not the
// daemon's.
TEST_CASE_METHOD(place, "a daemon learns within 100 ms that a client was killed") {
  server_process server(socket);
  for (int i = 0; i < 5; ++i) {
    server_process killed(socket, {"--client"});
    REQUIRE(killed.first_line == "began");
    killed.kill();
    killed.wait();
    const auto start = clock_type::now();
    CHECK(server.line("lost") == "lost");
    const auto took = micros_since(start);
    INFO("noticed after " << took << " us");
    CHECK(took < 100'000 * time_scale());
  }
}

TEST_CASE_METHOD(place, "clients that come and go leave nothing behind") {
  server_process server(socket);
  client steady(socket);
  const auto visit = [&](int times) {
    for (int i = 0; i < times; ++i) {
      {
        raw_peer visitor(socket);
        visitor.greet();
        visitor.hear_greeting();
        // CAF's question to the new node: it has been let in.
        REQUIRE(visitor.hear(frames::header_size).size() == frames::header_size);
      }
      REQUIRE(server.line("closed") == "closed ");
    }
  };
  visit(50);
  const auto rss = server.rss_kib();
  const auto descriptors = server.descriptors();
  visit(1000);
  CHECK((!size_tells || server.rss_kib() < rss + 2048));
  CHECK(server.descriptors() <= descriptors + 1);
  CHECK(steady.served());
}
