#include "guest/boot.hpp"
#include "guest/disks.hpp"
#include "guest/text.hpp"
#include "tests/support/catch.hpp"

using namespace banger::guest;
using lines = std::vector<std::string>;

TEST_CASE("the order of modules has groups, and names that cannot leave their folder") {
  const auto groups = module_groups("a.ko\n# why\nb.ko\n--\n\n../c.ko\nd.ko");
  REQUIRE(groups.size() == 2);
  CHECK(groups[0] == lines{"a.ko", "b.ko"});
  CHECK(groups[1] == lines{"d.ko"});
  CHECK(module_groups("").size() == 1);
}

TEST_CASE("a MAC address is six pairs of hexadecimal digits") {
  const auto mac = parse_mac("52:54:00:aa:0B:02");
  REQUIRE(mac);
  CHECK((*mac)[4] == 0x0b);
  for (const char* bad : {"", "52:54:00:aa:0b", "52:54:00:aa:0b:0g", "52-54-00-aa-0b-02",
                          "52:54:00:aa:0b:02:03", "+2:54:00:aa:0b:02"})
    CHECK_FALSE(parse_mac(bad));
}

TEST_CASE("an address is four numbers, and a prefix up to 32") {
  const auto address = parse_ipv4("10.0.2.15/24");
  REQUIRE(address);
  CHECK(address->bytes == std::array<std::uint8_t, 4>{10, 0, 2, 15});
  CHECK(address->prefix == 24);
  CHECK(parse_ipv4("1.2.3.4")->prefix == 32);
  for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4/33", "1.2.3.4/", "1..2.3",
                          "a.b.c.d", "1.2.3.4/-1", ".1.2.3.4"})
    CHECK_FALSE(parse_ipv4(bad));
}

TEST_CASE("only the keys that are missing are added") {
  CHECK(with_keys("", {"a", "b"}) == "a\nb\n");
  CHECK(with_keys("a", {"b", "a"}) == "a\nb\n");
  CHECK(with_keys("# mine\na\n", {"a"}) == "# mine\na\n");
  CHECK(with_keys("a\n", {"", "x\ny", "b", "b"}) == "a\nb\n");
}

TEST_CASE("the hosts file names this machine once and keeps the rest") {
  const auto first = with_hostname("", "box");
  CHECK(first == "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.0.1.1 box\n");
  CHECK(with_hostname(first, "box") == first);
  CHECK(with_hostname("127.0.0.1\tlocalhost\n127.0.1.1 old\n10.0.0.9 db\n", "new") ==
        "127.0.0.1\tlocalhost\n10.0.0.9 db\n127.0.1.1 new\n");
}

TEST_CASE("a host name cannot smuggle another line into a file") {
  CHECK(is_hostname("box-1.vm"));
  CHECK_FALSE(is_hostname(""));
  CHECK_FALSE(is_hostname("a b"));
  CHECK_FALSE(is_hostname("a\n10.0.0.1 bank"));
  CHECK_FALSE(is_hostname(std::string(65, 'a')));
}

TEST_CASE("a command gets the defaults, with what was given on top") {
  const auto env = environment({"HOME=/tmp", "A=1", "A=2", "=x", "nothing", "B="}, true);
  CHECK(value_of(env, "HOME") == "/tmp");
  CHECK(value_of(env, "A") == "2");
  CHECK(value_of(env, "USER") == "root");
  CHECK(value_of(env, "TERM") == "xterm");
  CHECK(value_of(env, "nothing").empty());
  CHECK(value_of(environment({}, false), "TERM").empty());
  CHECK(value_of(env, "PATH").find("/usr/local/sbin:") == 0);
}

TEST_CASE("the login shell is root's, and /bin/sh where none is named") {
  CHECK(login_shell("daemon:x:1:1::/:/bin/false\nroot:x:0:0:root:/root:/bin/bash\n") ==
        "/bin/bash");
  for (const char* none :
       {"", "root:x:0:0:root:/root:", "root:x:0:0:root:/root:\n", "root:/bin/bash",
        "rooter:x:0:0::/:/bin/bash", "root:x:0:0:root:/root:bash"})
    CHECK(login_shell(none) == "/bin/sh");
  CHECK(login_name("/usr/bin/zsh") == "-zsh");
}

TEST_CASE("a command with a slash is not searched for") {
  CHECK(candidates("./a", "/bin:/usr/bin") == lines{"./a"});
  CHECK(candidates("a", "/bin::/usr/bin") == lines{"/bin/a", "/usr/bin/a"});
}

TEST_CASE("disks are named by index") {
  CHECK(disk_path(0) == "/dev/vda");
  CHECK(disk_path(25) == "/dev/vdz");
  CHECK(disk_path(26) == "/dev/vdaa");
  CHECK(disk_path(701) == "/dev/vdzz");
}

TEST_CASE("systemctl's answer is a state only once its systemd is there") {
  CHECK(boot_state("running\n") == "running");
  CHECK(boot_state("degraded\n") == "degraded");
  CHECK(boot_state("offline\n").empty());
  CHECK(boot_state("unknown\n").empty());
  CHECK(boot_state("").empty());
}
