// Who listens, and how the machine is: read from what /proc says.
#include "guest/survey.hpp"

#include "messages/base/unique_fd.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace banger::guest;

namespace {

constexpr const char* head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
                             "retrnsmt   uid  timeout inode\n";

std::string a_line(const std::string& local, const std::string& state, const std::string& inode) {
  return "   0: " + local + " 00000000:0000 " + state +
         " 00000000:00000000 00:00000000 00000000     0        0 " + inode +
         " 1 0000000000000000 100 0 0 10 0\n";
}

} // namespace

TEST_CASE("a TCP socket that listens is found with address, port and inode, others are not") {
  const auto all =
      waiting_sockets(head + a_line("0100007F:1538", "0A", "4711") +
                          a_line("0100007F:1538", "01", "4712") + // a connection
                          a_line("00000000:0016", "0A", "12") + a_line("0F02000A:C350", "06", "0"),
                      transport_protocol::tcp);
  REQUIRE(all.size() == 2);
  CHECK(all[0].seen.address == "127.0.0.1");
  CHECK(all[0].seen.port == 5432);
  CHECK(all[0].inode == 4711);
  CHECK(all[1].seen.address == "0.0.0.0");
  CHECK(all[1].seen.port == 22);
}

TEST_CASE("an IPv6 address is written as people write it") {
  const auto all =
      waiting_sockets(head + a_line("00000000000000000000000000000000:0050", "0A", "1") +
                          a_line("00000000000000000000000001000000:0051", "0A", "2") +
                          a_line("000080FE00000000FF005450E2A99DFE:0052", "0A", "3") +
                          a_line("0000000000000000FFFF00000100007F:0053", "0A", "4"),
                      transport_protocol::tcp);
  REQUIRE(all.size() == 4);
  CHECK(all[0].seen.address == "::");
  CHECK(all[1].seen.address == "::1");
  CHECK(all[2].seen.address == "fe80::5054:ff:fe9d:a9e2");
  CHECK(all[3].seen.address == "::ffff:127.0.0.1");
}

TEST_CASE("a UDP socket waits as long as it is not connected") {
  const auto all =
      waiting_sockets(head + a_line("00000000:0044", "07", "5") +
                          a_line("0F02000A:9C40", "01", "6") + a_line("00000000:0000", "07", "7"),
                      transport_protocol::udp);
  REQUIRE(all.size() == 1);
  CHECK(all[0].seen.port == 68);
  CHECK(all[0].seen.protocol == transport_protocol::udp);
}

TEST_CASE("lines of /proc/net that are damaged or cut are passed over") {
  const auto good = a_line("00000000:0016", "0A", "12");
  for (std::size_t size = 0; size + 1 < good.size(); ++size)
    CHECK(waiting_sockets(good.substr(0, size), transport_protocol::tcp).size() <= 1);
  for (const char* local :
       {"", ":", "00000000", "0000000:0016", "0000000G:0016", "00000000:", "00000000:1FFFF",
        "00000000:-1", "000000000000000000000000000000000:0016"})
    CHECK(waiting_sockets(a_line(local, "0A", "12"), transport_protocol::tcp).empty());
  CHECK(waiting_sockets(a_line("00000000:0016", "0A", "x"), transport_protocol::tcp).empty());
  CHECK(waiting_sockets(a_line("00000000:0016", "", "12"), transport_protocol::tcp).empty());
  CHECK(waiting_sockets("nonsense\n\n" + good, transport_protocol::tcp).size() == 1);
}

TEST_CASE("the inode of a socket is in what its descriptor links to") {
  CHECK(socket_inode("socket:[4711]") == 4711u);
  for (const char* other : {"", "pipe:[4711]", "socket:[]", "socket:[12", "socket:[-1]",
                            "socket:[1x]", "/tmp/socket:[1]", "anon_inode:[eventfd]"})
    CHECK_FALSE(socket_inode(other));
}

TEST_CASE("loads are hundredths, and nothing where they are not understood") {
  health_body h;
  read_load("0.05 1.10 12.00 2/85 1234\n", h);
  CHECK(h.load_1 == 5);
  CHECK(h.load_5 == 110);
  CHECK(h.load_15 == 1200);
  for (const char* bad : {"", "0.05 1.10", "0.05 1.1 0.00 1/1 1", "a.bc 0.00 0.00 1/1 1"}) {
    read_load(bad, h);
    CHECK(h.load_1 + h.load_5 + h.load_15 == 0);
  }
}

TEST_CASE("a line of /proc/meminfo is found by its whole name") {
  const char* text = "MemTotal:         253108 kB\nMemFree:   1 kB\nMemAvailable:     200000 kB\n"
                     "HugePages_Total:       0\n";
  CHECK(memory_line(text, "MemTotal") == 253108ull * 1024);
  CHECK(memory_line(text, "MemAvailable") == 200000ull * 1024);
  CHECK(memory_line(text, "Mem") == 0);
  CHECK(memory_line(text, "HugePages_Total") == 0);
  CHECK(memory_line("", "MemTotal") == 0);
}

TEST_CASE("a socket of our own is found with our own pid and name") {
  const banger::unique_fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof here;
  REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&here), size) == 0);
  REQUIRE(::listen(socket.get(), 1) == 0);
  REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&here), &size) == 0);
  const auto seen = survey_ports(3);
  CHECK(seen.number == 3);
  const auto ours = std::find_if(seen.listeners.begin(), seen.listeners.end(), [&](const auto& l) {
    return l.protocol == transport_protocol::tcp && l.port == ntohs(here.sin_port);
  });
  REQUIRE(ours != seen.listeners.end());
  CHECK(ours->address == "127.0.0.1");
  CHECK(ours->pid == static_cast<std::uint32_t>(::getpid()));
  CHECK_FALSE(ours->process.empty());
}

TEST_CASE("a machine that is asked how it is tells its uptime and memory") {
  const auto now = survey_health(4);
  CHECK(now.number == 4);
  CHECK(now.uptime_us > 0);
  CHECK(now.memory_bytes > now.memory_free_bytes);
  CHECK(now.memory_free_bytes > 0);
}
