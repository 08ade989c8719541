// Arguments and environment as long as Linux takes them, and a little longer.
#include "tests/e2e/scripted_home.hpp"
#include "tests/support/catch.hpp"

#include <numeric>
#include <sys/resource.h>

using namespace banger::test;
using Catch::Contains;

namespace {

words with(words front, const words& back) {
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

// The kernel takes a quarter of the stack's limit as arguments: more here than in the guest.
struct wide_stack {
  wide_stack() {
    ::getrlimit(RLIMIT_STACK, &before);
    rlimit wide = before;
    wide.rlim_cur = before.rlim_max;
    ::setrlimit(RLIMIT_STACK, &wide);
  }
  ~wide_stack() { ::setrlimit(RLIMIT_STACK, &before); }
  wide_stack(const wide_stack&) = delete;
  wide_stack& operator=(const wide_stack&) = delete;

  rlimit before{};
};

words of_bytes(std::size_t count, std::size_t each) { return words(count, std::string(each, 'x')); }

std::size_t sum(const words& all) {
  return std::accumulate(all.begin(), all.end(), std::size_t{0},
                         [](std::size_t n, const auto& word) { return n + word.size() + 1; });
}

} // namespace

TEST_CASE("a command has the arguments and the environment that Linux takes", "[vm][faults]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  const words echo = {"vm", "exec", "a", "--", "echo"};
  const auto large = of_bytes(19, 100'000);
  CHECK(h.good(with(echo, large)).size() == sum(large));
  words many(150'000, "x");
  CHECK(h.good(with(echo, many)).size() == sum(many));
  const std::string longest(131'071, 'x');
  CHECK(h.good(with(echo, {longest})) == longest + "\n");
  const std::string value(131'060, 'v');
  CHECK(h.good({"vm", "exec", "a", "--env", "LONG=" + value, "--", "sh", "-c", "echo ${#LONG}"}) ==
        std::to_string(value.size()) + "\n");

  // Several at once, and others between them.
  std::vector<std::unique_ptr<child>> all;
  for (int i = 0; i < 6; ++i)
    all.push_back(
        std::make_unique<child>(h.command(i % 2 == 0 ? with(echo, large) : with(echo, {"short"}))));
  for (std::size_t i = 0; i < all.size(); ++i) {
    CHECK(all[i]->wait(boot_time) == 0);
    CHECK(all[i]->out().size() == (i % 2 == 0 ? sum(large) : 6));
  }
}

TEST_CASE("a command that is too long for Linux is refused as Linux refuses it", "[vm][faults]") {
  home h;
  const wide_stack here;
  rlimit now{};
  ::getrlimit(RLIMIT_STACK, &now);
  if (now.rlim_cur != RLIM_INFINITY && now.rlim_cur < 24ul * 1024 * 1024)
    return skip("the host's limit of the stack cannot be raised");
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  const words echo = {"vm", "exec", "a", "--", "echo"};
  // By the guest's kernel, and before anything is sent.
  for (const auto& words_of_it : {of_bytes(21, 102'000), of_bytes(30, 100'000)}) {
    const auto r = h.banger(with(echo, words_of_it));
    CHECK(r.status == 126);
    CHECK_THAT(r.err, Contains("cannot run 'echo'") && Contains("Argument list too long"));
    CHECK(r.out.empty());
  }
  const auto run =
      h.banger(with({"vm", "run", "--rm", "--image", "tiny", "--", "echo"}, of_bytes(30, 100'000)));
  CHECK(run.status == 126);
  CHECK(h.list().size() == 1);
}

TEST_CASE("an agent that is older takes shorter commands, and that is told", "[none][faults]") {
  scripted_home h;
  h.create("a", banger::scripted::behaviour::is_of_old);
  const auto r = h.banger({"vm", "exec", "a", "--", "echo", std::string(70'000, 'x')});
  CHECK(r.status == 125);
  CHECK_THAT(r.err, Contains("64 KiB") && Contains("older"));
}
