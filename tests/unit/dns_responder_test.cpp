#include "actors/dns/sockets.hpp"
#include "dns_asker.hpp"

#include <atomic>
#include <ifaddrs.h>
#include <iostream>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <thread>

using namespace banger;
using namespace banger::dns;
using namespace banger::dns::test;

namespace {

/// An address of this machine that is no loopback one.
std::optional<ipv4> outer_address() {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0)
    return std::nullopt;
  std::optional<ipv4> found;
  for (const auto* a = all; a != nullptr; a = a->ifa_next)
    if (a->ifa_addr != nullptr && a->ifa_addr->sa_family == AF_INET) {
      const auto* const in = reinterpret_cast<const sockaddr_in*>(a->ifa_addr);
      if (const ipv4 address{ntohl(in->sin_addr.s_addr)}; !is_loopback(address))
        found = address;
    }
  ::freeifaddrs(all);
  return found;
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i)
    all += text;
  return all;
}

} // namespace

TEST_CASE("names are answered by UDP and TCP on one port") {
  office o;
  for (const auto by : {transport::udp, transport::tcp}) {
    CHECK(address_in(o.ask("web.vm", by)) == "10.88.0.2");
    CHECK(address_in(o.ask("x.DB.vm", by)) == "10.88.0.3");
    CHECK(code_in(o.ask("nobody.vm", by)) == 3);
    CHECK(code_in(o.ask("example.org", by)) == 5);
  }
  const auto s = o.stats();
  CHECK(s.queries == 8);
  CHECK(s.refused == 2);
  CHECK(s.dropped == 0);
}

TEST_CASE("a name that is set, moved or removed is answered so once that is in effect") {
  office o;
  const auto in_effect = [&](const auto& say) {
    std::promise<bool> done;
    say([&] { done.set_value(o.loop.in_thread()); });
    CHECK(done.get_future().get());
  };
  CHECK(code_in(o.ask("new.vm")) == 3);
  in_effect([&](auto f) { o.names->set(office::name("new"), {0x0a580009}, f); });
  CHECK(address_in(o.ask("new.vm")) == "10.88.0.9");
  in_effect([&](auto f) { o.names->set(office::name("new"), {0x0a58000a}, f); });
  CHECK(address_in(o.ask("new.vm")) == "10.88.0.10");
  in_effect([&](auto f) { o.names->remove(office::name("new"), f); });
  in_effect([&](auto f) { o.names->remove(office::name("never"), f); });
  CHECK(code_in(o.ask("new.vm")) == 3);
  in_effect([&](auto f) { o.names->replace({{office::name("one"), {0x0a580007}}}, f); });
  CHECK(address_in(o.ask("one.vm")) == "10.88.0.7");
  CHECK(code_in(o.ask("web.vm")) == 3);
}

TEST_CASE("a port that is taken is an error that names it, who has it, and the key to change") {
  office o;
  const auto port = o.names->port();
  const auto second = serve_names(o.loop, {.port = port});
  REQUIRE_FALSE(second);
  CHECK(second.error().code == errc::already_exists);
  CHECK(second.error().what ==
        "cannot answer names on 127.0.0.1, UDP port " + std::to_string(port));
  CHECK_THAT(second.error().why,
             Catch::Contains("(pid " + std::to_string(::getpid()) + ") has it"));
  CHECK_THAT(second.error().remedy, Catch::Contains("another port"));
  CHECK(address_in(o.ask("web.vm")) == "10.88.0.2");
}

TEST_CASE("a port that only TCP has taken is an error, too") {
  const unique_fd taken(::socket(AF_INET, SOCK_STREAM, 0));
  auto a = socket_address({0}, 0); // everywhere
  socklen_t size = sizeof a;
  REQUIRE(::bind(taken.get(), reinterpret_cast<const sockaddr*>(&a), size) == 0);
  REQUIRE(::listen(taken.get(), 1) == 0);
  REQUIRE(::getsockname(taken.get(), reinterpret_cast<sockaddr*>(&a), &size) == 0);
  io::reactor loop;
  const auto names = serve_names(loop, {.port = ntohs(a.sin_port)});
  REQUIRE_FALSE(names);
  CHECK_THAT(names.error().what, Catch::Contains("TCP port"));
  CHECK_THAT(names.error().why, Catch::Contains("has it"));
}

TEST_CASE("only a loopback address serves") {
  io::reactor loop;
  const auto names = serve_names(loop, {.address = {0x0a580001}, .port = 0});
  REQUIRE_FALSE(names);
  CHECK(names.error().code == errc::bad_request);
  CHECK(serve_names(loop, {.address = {0x7f000035}, .port = 0}));
}

TEST_CASE("whoever asks from another address is refused") {
  const auto outer = outer_address();
  if (!outer) {
    std::cout << "SKIPPED: this machine has no address but loopback ones\n";
    return;
  }
  office o;
  asker stranger(transport::udp, o.names->port(), *outer);
  CHECK(code_in(stranger.ask(ask("web.vm"))) == 5);
  CHECK(asker(transport::tcp, o.names->port(), *outer).closed());
  CHECK(o.stats().refused == 2);
  CHECK(address_in(o.ask("web.vm")) == "10.88.0.2");
}

TEST_CASE("responses and scraps are not answered, so that two servers cannot talk for ever") {
  office o;
  asker a(transport::udp, o.names->port());
  a.send(head(0x8100) + question("web.vm"));
  a.send("scrap");
  a.send("");
  CHECK(address_in(a.ask(ask("web.vm"))) == "10.88.0.2");
  CHECK(a.receive(50ms).empty());
  CHECK(o.stats().dropped == 3);
}

TEST_CASE("a datagram that is longer than any query is malformed") {
  office o;
  CHECK(code_in(
            asker(transport::udp, o.names->port()).ask(ask("web.vm") + std::string(20000, 'x'))) ==
        1);
}

TEST_CASE(
    "queries on a connection may come in pieces, and many at once, and are answered in order") {
  office o;
  asker a(transport::tcp, o.names->port());
  for (const char c : asker::framed(ask("web.vm")))
    REQUIRE(a.send_raw({&c, 1}));
  CHECK(address_in(a.receive()) == "10.88.0.2");
  const auto pair = asker::framed(ask("web.vm")) + asker::framed(ask("db.vm"));
  REQUIRE(a.send_raw(repeated(pair, 100)));
  for (int i = 0; i < 100; ++i) {
    CHECK(address_in(a.receive()) == "10.88.0.2");
    CHECK(address_in(a.receive()) == "10.88.0.3");
  }
}

TEST_CASE("a connection whose asker has ended its input gets its answers, and is closed") {
  office o;
  asker a(transport::tcp, o.names->port());
  REQUIRE(a.send_raw(repeated(asker::framed(ask("web.vm")), 50)));
  a.end_input();
  for (int i = 0; i < 50; ++i)
    CHECK(address_in(a.receive()) == "10.88.0.2");
  CHECK(a.closed());
  CHECK(o.stats().connections == 0);
}

TEST_CASE("a connection that says nonsense is closed") {
  office o;
  for (const auto& nonsense : {number(3) + "abc", number(0), number(5000) + "abc",
                               asker::framed(head(0x8100) + question("web.vm"))}) {
    asker a(transport::tcp, o.names->port());
    REQUIRE(a.send_raw(nonsense));
    CHECK(a.closed());
  }
  CHECK(o.stats().connections == 0);
}

TEST_CASE("an idle connection is closed, one that sends single bytes too") {
  office o({.port = 0, .idle = 200ms});
  asker quiet(transport::tcp, o.names->port()), slow(transport::tcp, o.names->port());
  const auto begun = std::chrono::steady_clock::now();
  const auto query = asker::framed(ask("a-name-that-is-long-enough.web.vm"));
  std::size_t sent = 0;
  while (sent < query.size() && slow.send_raw(query.substr(sent, 1))) {
    ++sent;
    if (slow.closed(20ms))
      break;
  }
  CHECK(sent < query.size());
  CHECK(quiet.closed());
  CHECK(std::chrono::steady_clock::now() - begun >= 200ms);
  CHECK(o.stats().connections == 0);
}

TEST_CASE("connections beyond the bound are closed, and those within it go on") {
  office o({.port = 0, .connections = 2});
  asker first(transport::tcp, o.names->port()), second(transport::tcp, o.names->port());
  CHECK(address_in(first.ask(ask("web.vm"))) == "10.88.0.2");
  CHECK(address_in(second.ask(ask("web.vm"))) == "10.88.0.2");
  CHECK(asker(transport::tcp, o.names->port()).closed());
  CHECK(o.stats().refused == 1);
  first.end_input();
  CHECK(first.closed());
  CHECK(address_in(o.ask("db.vm", transport::tcp)) == "10.88.0.3");
  CHECK(address_in(second.ask(ask("db.vm"))) == "10.88.0.3");
}

TEST_CASE("who does not read its answers is not read either, and hinders nobody") {
  office o;
  asker deaf(transport::tcp, o.names->port(), loopback, 4096);
  const auto many = repeated(asker::framed(ask("web.vm")), 100);
  std::uint64_t sent = 0;
  while (deaf.send_raw(many, MSG_DONTWAIT))
    sent += 100;
  std::uint64_t answered = 0, before = 1;
  while (answered != before) {
    before = std::exchange(answered, o.stats().queries);
    std::this_thread::sleep_for(100ms);
  }
  INFO(sent << " sent, " << answered << " answered");
  CHECK(answered < sent);
  CHECK(address_in(o.ask("web.vm", transport::tcp)) == "10.88.0.2");
  for (std::uint64_t i = 0; i < sent; ++i)
    REQUIRE(address_in(deaf.receive()) == "10.88.0.2");
}

TEST_CASE("others have their turn after a few queries of a flood") {
  office o;
  const unique_fd bell(::eventfd(0, EFD_CLOEXEC));
  asker flood(transport::udp, o.names->port());
  std::promise<void> go;
  std::promise<std::uint64_t> seen;
  std::promise<void> held;
  o.loop.post([&] {
    o.loop.watch(bell.get(), EPOLLIN, [&](std::uint32_t) {
      o.loop.unwatch(bell.get());
      o.names->stats([&](responder_stats s) { seen.set_value(s.queries); });
    });
    held.set_value();
    go.get_future().wait();
  });
  held.get_future().wait();
  for (int i = 0; i < 150; ++i)
    REQUIRE(flood.send(ask("web.vm")));
  const std::uint64_t one = 1;
  REQUIRE(::write(bell.get(), &one, sizeof one) == sizeof one);
  go.set_value();
  CHECK(seen.get_future().get() <= 64);
  for (int i = 0; i < 150; ++i)
    REQUIRE(address_in(flood.receive()) == "10.88.0.2");
}

TEST_CASE("while it is flooded the reactor still runs what is posted") {
  office o;
  std::atomic<bool> stop = false;
  std::vector<std::thread> floods;
  for (int i = 0; i < 2; ++i)
    floods.emplace_back([&] {
      const unique_fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
      const auto to = socket_address(loopback, o.names->port());
      const auto query = ask("web.vm");
      while (!stop)
        ::sendto(fd.get(), query.data(), query.size(), MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&to), sizeof to);
    });
  auto longest = 0ms;
  for (int i = 0; i < 50; ++i) {
    const auto begun = std::chrono::steady_clock::now();
    o.settle();
    longest = std::max(longest, std::chrono::duration_cast<std::chrono::milliseconds>(
                                    std::chrono::steady_clock::now() - begun));
    std::this_thread::sleep_for(5ms);
  }
  stop = true;
  for (auto& t : floods)
    t.join();
  INFO("longest wait " << longest.count() << " ms, " << o.stats().queries << " queries");
  CHECK(longest < 1000ms);
}

TEST_CASE("the port is free as soon as a responder has ended, open connections or not") {
  office o;
  const auto port = o.names->port();
  asker a(transport::tcp, port);
  CHECK(address_in(a.ask(ask("web.vm"))) == "10.88.0.2");
  o.names.reset();
  std::promise<void> ended;
  o.loop.post([&] { ended.set_value(); });
  ended.get_future().wait();
  auto next = serve_names(o.loop, {.port = port});
  if (!next)
    FAIL(describe(next.error()));
  CHECK(a.closed());
  CHECK(code_in(asker(transport::tcp, port).ask(ask("web.vm"))) == 3);
}

TEST_CASE("who has a port is read from the kernel's table") {
  const std::string table =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
      "inode\n"
      "   0: 0100007F:A455 00000000:0000 01 00000000:00000000 00:00000000 00000000  1000        0 "
      "11 1 0\n"
      "   1: 0200007F:A455 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 "
      "12 1 0\n"
      "broken\n"
      "   2: 00000000:A455 00000000:0000 0A 00000000:00000000 00:00000000 00000000   991        0 "
      "13 1 0\n";
  const auto by_tcp = find_receiver(table, loopback, 0xa455, transport::tcp);
  REQUIRE(by_tcp);
  CHECK(by_tcp->inode == 13);
  CHECK(by_tcp->uid == 991);
  CHECK(find_receiver(table, loopback, 0xa455, transport::udp)->inode == 11);
  CHECK_FALSE(find_receiver(table, loopback, 0xa456, transport::tcp));
}
