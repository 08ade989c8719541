#include "cli/progress.hpp"

#include "cli/print.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sys/ioctl.h>
#include <unistd.h>

namespace banger::cli {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds pace{100};
// Of plain lines: the first for a stage, and the next ones.
constexpr milliseconds moment{2000}, plain_pace{10000};

void say(const std::string& text) {
  // A terminal that does not take our line is no reason to fail.
  [[maybe_unused]] const auto n = ::write(STDERR_FILENO, text.data(), text.size());
}

} // namespace

terminal look_at_terminal() {
  terminal here;
  if (::isatty(STDERR_FILENO) == 0)
    return here;
  const char* kind = std::getenv("TERM");
  const char* no_colour = std::getenv("NO_COLOR");
  here.live = kind != nullptr && *kind != '\0' && std::strcmp(kind, "dumb") != 0;
  here.colour = here.live && (no_colour == nullptr || *no_colour == '\0');
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    here.width = size.ws_col;
  return here;
}

std::string progress_text(const std::string& label, const messages::progress& news,
                          std::uint64_t elapsed_us, std::size_t width) {
  const auto tenths = elapsed_us / 100000;
  const auto time = " (" + std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s)";
  auto text = label.empty() ? news.stage : label + ": " + news.stage;
  if (!news.detail.empty())
    text += ": " + news.detail;
  // The last column stays free: a full line would wrap, and could not be taken back.
  const auto room = width > time.size() + 1 ? width - time.size() - 1 : 0;
  return plain(text.substr(0, room)) + time;
}

progress_line::progress_line(const terminal& to, bool quiet, std::string label)
    : live_(to.live && !quiet), quiet_(quiet), width_(to.width), label_(std::move(label)) {}

void progress_line::show(const messages::progress& news) {
  if (quiet_)
    return;
  if (news.stage == "notice") {
    clear();
    return say("note: " + plain(news.detail) + "\n");
  }
  if (!live_)
    return show_plainly(news);
  news_ = news;
  heard_ = clock::now();
  fresh_ = true;
  if (!drawn_ || heard_ - drawn_at_ >= pace)
    draw(heard_);
}

// Several operations share the line: news of another one is another stage.
void progress_line::show_plainly(const messages::progress& news) {
  const bool other = !fresh_ || news.stage != news_.stage || news.op != news_.op;
  news_ = news;
  heard_ = clock::now();
  fresh_ = true;
  if (other)
    due_ = heard_ + moment;
}

void progress_line::tick() {
  const auto now = clock::now();
  if (!fresh_ || now < next_draw())
    return;
  if (live_)
    draw(now);
  else
    write_line(now);
}

progress_line::clock::time_point progress_line::next_draw() const {
  return live_ ? drawn_at_ + pace : due_;
}

void progress_line::write_line(clock::time_point now) {
  const auto since = std::chrono::duration_cast<std::chrono::microseconds>(now - heard_).count();
  constexpr std::size_t no_width = 1000;
  say(progress_text(label_, news_, news_.elapsed_us + static_cast<std::uint64_t>(since), no_width) +
      "\n");
  due_ = now + plain_pace;
}

void progress_line::draw(clock::time_point now) {
  const auto since = std::chrono::duration_cast<std::chrono::microseconds>(now - heard_).count();
  const auto elapsed = news_.elapsed_us + static_cast<std::uint64_t>(since);
  say("\r\x1b[K" + progress_text(label_, news_, elapsed, width_));
  drawn_ = true;
  drawn_at_ = now;
}

void progress_line::clear() {
  if (drawn_)
    say("\r\x1b[K");
  drawn_ = fresh_ = false;
}

int progress_line::wait_ms() const {
  if (!fresh_)
    return -1;
  const auto left = std::chrono::duration_cast<milliseconds>(next_draw() - clock::now()).count();
  return static_cast<int>(std::clamp<long>(left, 0, plain_pace.count()) + 1);
}

} // namespace banger::cli
