// Whether a root helper serves this user.
#include "actors/privileged/presence.hpp"
#include "messages/base/unique_fd.hpp"
#include "messages/transport/socket.hpp"

#include "tests/support/catch.hpp"

#include <cstdlib>
#include <iostream>
#include <optional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace banger;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

constexpr uid_t nobody = 65534;

class folder {
public:
  folder() {
    REQUIRE(::mkdtemp(form_.data()) != nullptr);
    REQUIRE(::chmod(form_.c_str(), 0755) == 0);
  }
  ~folder() { std::filesystem::remove_all(form_); }
  std::filesystem::path path() const { return form_; }
  std::filesystem::path socket() const { return path() / privileged::orders_socket; }

private:
  std::string form_ = "/tmp/presence-XXXXXX";
};

/// Accepts a connection for each text, sends it, and closes the connection.
class greeter {
public:
  greeter(const std::filesystem::path& socket, std::vector<std::string> texts)
      : listening_(*local::listen(socket)), thread_([this, texts = std::move(texts)] {
          for (const auto& text : texts) {
            const unique_fd one(::accept(listening_.socket(), nullptr, nullptr));
            if (!text.empty())
              (void)::send(one.get(), text.data(), text.size(), MSG_NOSIGNAL);
          }
        }) {}
  ~greeter() { thread_.join(); }

private:
  local::listener listening_;
  std::thread thread_;
};

} // namespace

TEST_CASE("a helper that greets serves this user") {
  const folder f;
  const greeter helper(f.socket(), {"hello"});
  CHECK(privileged::look_for_helper(f.path()));
}

TEST_CASE("a helper that closes the connection before it greets is asked once more") {
  const folder f;
  {
    const greeter helper(f.socket(), {"", "hello"});
    CHECK(privileged::look_for_helper(f.path()));
  }
  const greeter helper(f.socket(), {"", ""});
  const auto seen = privileged::look_for_helper(f.path());
  REQUIRE_FALSE(seen);
  CHECK(seen.error().code == errc::disconnected);
  CHECK_THAT(seen.error().why, Contains("closed the connection"));
}

TEST_CASE("no folder, no socket and a socket without a process are no helper") {
  const folder f;
  const auto code_of = [](const std::filesystem::path& where) {
    const auto seen = privileged::look_for_helper(where);
    return seen ? errc::none : seen.error().code;
  };
  CHECK(code_of(f.path() / "none") == errc::not_found);
  CHECK(code_of(f.path()) == errc::not_found);
  {
    auto listening = local::listen(f.socket());
    REQUIRE(listening);
    std::filesystem::rename(f.socket(), f.path() / "kept");
  }
  std::filesystem::rename(f.path() / "kept", f.socket());
  CHECK(code_of(f.path()) == errc::not_found);
}

TEST_CASE("a helper that never greets is told apart from one that refuses") {
  const folder f;
  const auto listening = local::listen(f.socket());
  REQUIRE(listening);
  const auto seen = privileged::look_for_helper(f.path(), 50ms);
  REQUIRE_FALSE(seen);
  CHECK(seen.error().code == errc::timed_out);
}

TEST_CASE("the socket of another user's helper is named with its uid") {
  if (::geteuid() != 0) {
    std::cout << "SKIPPED: to become another user needs root\n";
    return;
  }
  const folder f;
  const auto listening = local::listen(f.socket(), 12345);
  REQUIRE(listening);
  for (const uid_t asker : {nobody, uid_t{0}}) {
    REQUIRE(::seteuid(asker) == 0);
    const auto seen = privileged::look_for_helper(f.path(), 50ms);
    REQUIRE(::seteuid(0) == 0);
    REQUIRE_FALSE(seen);
    CHECK(seen.error().code == errc::unauthorized);
    CHECK_THAT(seen.error().why, Contains("another user (uid 12345)"));
  }
  CHECK_THAT(privileged::remedy_for_foreign("/run/banger"),
             Contains("network.helper") && Contains("network.dns_port") &&
                 Contains("network.mode = \"user\""));
}
