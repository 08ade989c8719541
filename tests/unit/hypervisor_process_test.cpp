// Which process a record names, and whether it still does.
#include "actors/hypervisor/process.hpp"
#include "tests/support/catch.hpp"

#include <future>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

using namespace banger;
using namespace banger::hypervisor;

TEST_CASE("a recorded number that is a thread's by now, or of another boot, is a process gone",
          "[faults]") {
  std::promise<pid_t> told;
  std::promise<void> over;
  std::thread other([&] {
    told.set_value(static_cast<pid_t>(::syscall(SYS_gettid)));
    over.get_future().wait();
  });
  const auto thread = static_cast<std::uint32_t>(told.get_future().get());
  const auto of_thread = open_process({thread, 1, host_boot_id()});
  REQUIRE_FALSE(of_thread);
  CHECK(of_thread.error().code == errc::not_found);
  over.set_value();
  other.join();
  auto self = identify(static_cast<std::uint32_t>(::getpid()));
  REQUIRE(self);
  CHECK(open_process(*self));
  self->boot_id = "another";
  const auto of_another = open_process(*self);
  REQUIRE_FALSE(of_another);
  CHECK(of_another.error().code == errc::not_found);
}
