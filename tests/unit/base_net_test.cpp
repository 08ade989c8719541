#include "messages/base/net.hpp"
#include "tests/support/catch.hpp"

using namespace banger;

TEST_CASE("an IPv4 address is four plain numbers") {
  CHECK(ipv4::parse("10.88.0.2")->bits == 0x0a580002);
  CHECK(ipv4::parse("255.255.255.255")->str() == "255.255.255.255");
  for (const auto* bad : {"", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", " 1.2.3.4", "1.2.3.4 ",
                          "1.2.3.-4", "1.2.3.4/8", "1..3.4", "0x1.2.3.4", "1.2.3.4294967298"})
    CHECK_FALSE(ipv4::parse(bad));
}

TEST_CASE("a network is private, whole, and of a size that can be used") {
  const auto net = ipv4_net::parse("10.88.0.0/24");
  REQUIRE(net);
  CHECK(net->host().str() == "10.88.0.1");
  CHECK(net->last().str() == "10.88.0.255");
  CHECK(net->is_guest(*ipv4::parse("10.88.0.2")));
  CHECK(net->is_guest(*ipv4::parse("10.88.0.254")));
  for (const auto* no : {"10.88.0.0", "10.88.0.1", "10.88.0.255", "10.88.1.2"})
    CHECK_FALSE(net->is_guest(*ipv4::parse(no)));
  for (const auto* good : {"10.0.0.0/8", "172.16.0.0/12", "172.31.255.0/24", "192.168.0.0/30",
                           "100.64.0.0/10", "100.127.255.252/30"})
    CHECK(ipv4_net::parse(good));
  for (const auto* bad :
       {"8.8.8.0/24", "10.0.0.0/7", "10.0.0.0/31", "10.0.0.1/24", "172.32.0.0/12", "172.0.0.0/8",
        "192.168.0.0/15", "169.254.0.0/16", "127.0.0.0/8", "0.0.0.0/8", "10.0.0.0", "10.0.0.0/",
        "10.0.0.0/024", "10.0.0.0/24 ", "10.0.0.0/2 4", "/8", ""})
    CHECK_FALSE(ipv4_net::parse(bad));
}

TEST_CASE("networks overlap if one holds the other") {
  const auto a = *ipv4_net::parse("10.88.0.0/16"), b = *ipv4_net::parse("10.88.7.0/24"),
             c = *ipv4_net::parse("10.89.0.0/16");
  CHECK(a.overlaps(b));
  CHECK(b.overlaps(a));
  CHECK_FALSE(a.overlaps(c));
}

TEST_CASE("a MAC address is local, of one station, and made of its guest's address") {
  const auto mac = mac_address::of(*ipv4::parse("10.88.0.2"));
  CHECK(mac.str() == "52:54:0a:58:00:02");
  CHECK(mac_address::parse("52:54:0A:58:00:02") == mac);
  for (const auto* bad :
       {"", "53:54:0a:58:00:02", "00:11:22:33:44:55", "ff:ff:ff:ff:ff:ff", "52-54-0a-58-00-02",
        "52:54:0a:58:00", "52:54:0a:58:00:02:", "52:54:0a:58:00:0g"})
    CHECK_FALSE(mac_address::parse(bad));
}

TEST_CASE("only bridges and taps of ours have names") {
  for (const auto* good : {"br-fc", "br-fc-a", "br-fc-dev1", "br-fc-123456789"})
    CHECK(bridge_name::parse(good));
  for (const auto* bad : {"", "br-fc-", "br-fcx", "eth0", "docker0", "br-fc-1234567890", "br-fc-A",
                          "br-fc-../x", "br-fc-a\n", "br-fc-a b", "BR-FC"})
    CHECK_FALSE(bridge_name::parse(bad));
  CHECK(tap_name::parse("tap-fc-0a580002"));
  for (const auto* bad :
       {"tap-fc-", "tap0", "tap-fc-123456789", "tap-fc-a/b", "tap-fc-\x1b", "eth0"})
    CHECK_FALSE(tap_name::parse(bad));
}
