#include "io_fakes.hpp"

#include <atomic>
#include <fcntl.h>
#include <fstream>
#include <sys/epoll.h>
#include <thread>

using namespace banger;
using namespace banger::io;
using namespace banger::io::test;

TEST_CASE("what is posted runs in the reactor's thread, in order, also when the reactor ends") {
  std::vector<int> order;
  bool inside = false;
  {
    reactor loop;
    for (int i = 0; i < 1000; ++i)
      loop.post([&order, i] { order.push_back(i); });
    loop.post([&] { inside = loop.in_thread(); });
    CHECK_FALSE(loop.in_thread());
  }
  REQUIRE(order.size() == 1000);
  CHECK(std::is_sorted(order.begin(), order.end()));
  CHECK(inside);
}

TEST_CASE("many threads may post at once") {
  std::atomic<int> sum = 0;
  {
    reactor loop;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 5000; ++i)
          loop.post([&] { ++sum; });
      });
    for (auto& t : threads)
      t.join();
  }
  CHECK(sum == 20000);
}

TEST_CASE("timers fire in the order of their times, and a cancelled one does not") {
  reactor loop;
  std::promise<std::string> done;
  std::string order;
  loop.post([&] {
    const auto now = reactor::clock::now();
    loop.at(now + 20ms, [&] { order += 'c'; });
    loop.at(now + 10ms, [&] { order += 'b'; });
    loop.at(now - 1s, [&] { order += 'a'; });
    const auto never = loop.at(now + 15ms, [&] { order += 'x'; });
    loop.cancel(never);
    loop.cancel(never);
    loop.cancel(4711);
    loop.at(now + 30ms, [&] { done.set_value(order); });
  });
  CHECK(done.get_future().get() == "abc");
}

TEST_CASE("a timer that always sets itself again to the past does not hold back the mailbox") {
  reactor loop;
  std::function<void()> again;
  bool stop = false;
  again = [&] {
    if (!stop)
      loop.at(reactor::clock::now() - 1ms, again);
  };
  in_reactor(loop, [&] { again(); });
  in_reactor(loop, [&] { stop = true; });
  in_reactor(loop, [] {});
}

TEST_CASE("a handler may unwatch itself and others while both are ready") {
  reactor loop;
  connected_pair a, b;
  int calls = 0;
  const auto handler = [&](std::uint32_t) {
    ++calls;
    loop.unwatch(a.near.get());
    loop.unwatch(b.near.get());
  };
  in_reactor(loop, [&] {
    loop.watch(a.near.get(), EPOLLIN, handler);
    loop.watch(b.near.get(), EPOLLIN, handler);
    REQUIRE(::write(a.far.get(), "x", 1) == 1);
    REQUIRE(::write(b.far.get(), "x", 1) == 1);
  });
  in_reactor(loop, [] {});
  in_reactor(loop, [] {});
  CHECK(calls == 1);
}

TEST_CASE("an event of a closed descriptor does not reach the next owner of its number") {
  reactor loop;
  connected_pair a, b;
  const int number = b.near.get();
  int moved = -1;
  int wrong = 0;
  in_reactor(loop, [&] {
    loop.watch(a.near.get(), EPOLLIN, [&](std::uint32_t) {
      loop.unwatch(a.near.get());
      loop.unwatch(number);
      moved = ::dup3(a.far.get(), number, O_CLOEXEC); // quiet, under b's number
      loop.watch(number, EPOLLIN, [&](std::uint32_t) { ++wrong; });
    });
    loop.watch(number, EPOLLIN, [](std::uint32_t) {});
    REQUIRE(::write(a.far.get(), "x", 1) == 1);
    REQUIRE(::write(b.far.get(), "x", 1) == 1);
  });
  in_reactor(loop, [] {});
  in_reactor(loop, [] {});
  CHECK(moved == number);
  CHECK(wrong == 0);
  in_reactor(loop, [&] { loop.unwatch(number); });
}

TEST_CASE("a descriptor that cannot be watched is told as broken") {
  reactor loop;
  temporary_folder folder;
  unique_fd file(::open((folder.path / "f").c_str(), O_RDWR | O_CREAT, 0600));
  std::promise<std::uint32_t> told;
  in_reactor(loop, [&] {
    loop.watch(file.get(), EPOLLIN, [&](std::uint32_t events) {
      loop.unwatch(file.get());
      told.set_value(events);
    });
  });
  CHECK((told.get_future().get() & EPOLLERR) != 0);
}

TEST_CASE("an idle reactor does not wake up") {
  reactor loop;
  std::string tid;
  in_reactor(loop, [&] { tid = std::to_string(::syscall(SYS_gettid)); });
  const auto switches = [&] {
    std::ifstream status("/proc/self/task/" + tid + "/status");
    std::string line;
    while (std::getline(status, line))
      if (line.rfind("voluntary_ctxt_switches", 0) == 0)
        return line;
    return line;
  };
  std::this_thread::sleep_for(50ms);
  const auto before = switches();
  std::this_thread::sleep_for(500ms);
  CHECK(switches() == before);
}
