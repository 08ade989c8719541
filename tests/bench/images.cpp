#include "tests/bench/images.hpp"

#include "actors/image/bootstrap_plan.hpp"
#include "tests/bench/table.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <unistd.h>

namespace banger::bench {

namespace fs = std::filesystem;
using test::words;

namespace {

constexpr int image_rounds = 3;

double seconds_of(const test::program& p) {
  const auto r = test::run(p, {}, test::build_time);
  if (r.status != 0) {
    std::cerr << "bench: " << p.argv[0] << " ended with " << r.status << ": "
              << r.err.substr(r.err.size() > 2000 ? r.err.size() - 2000 : 0) << '\n';
    std::exit(1);
  }
  return static_cast<double>(r.took.count()) / 1000;
}

// Into a folder, then into an image of the same size: what nobody can do without.
double least(test::home& h, image::bootstrap_mode mode) {
  const auto tree = h.top() / "tree", file = h.top() / "least.img";
  const auto what = image::choose_recipe(*image_name::parse("debian-bookworm"), {});
  const image::bootstrap_plan plan{mode, *what, image::ask_apt(image::debian_suite), {}, tree};
  const auto make = image::bootstrap_arguments(plan);
  const auto confined = [&](const words& command) {
    auto all = image::confinement(mode);
    all.insert(all.end(), command.begin(), command.end());
    return test::program{all, h.env};
  };
  auto first = confined(make);
  first.env["TMPDIR"] = h.top();
  const double sum = seconds_of(first) + seconds_of(confined({"mke2fs", "-q", "-t", "ext4", "-d",
                                                              tree.string(), file.string(), "4G"}));
  seconds_of(confined({"rm", "-rf", tree.string(), file.string()}));
  return sum;
}

std::string times_text(double value) {
  char out[32];
  std::snprintf(out, sizeof out, "x %.2f", value);
  return out;
}

} // namespace

void bench_images(test::home& h) {
  const auto mode = ::geteuid() == 0 ? image::bootstrap_mode::root : image::bootstrap_mode::unshare;
  const auto build = h.command({"image", "build", "--force"});
  pairs times;
  for (int i = 0; i < image_rounds; ++i) {
    times.floor.push_back(least(h, mode));
    times.ours.push_back(seconds_of(build));
  }
  print_row("image build over mmdebstrap + mke2fs alone [s]", spread(times.floor),
            spread(times.ours), times_text(median(times.ours) / median(times.floor)), "<= x 1.3");
}

} // namespace banger::bench
