#include "tests/docs/walk.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <unistd.h>

namespace banger::docs {

namespace fs = std::filesystem;

namespace {

std::string read(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

} // namespace

walk::walk(fs::path source, fs::path stage, fs::path home)
    : source_(std::move(source)), stage_(std::move(stage)), home_(std::move(home)),
      uid_(variable("BANGER_TEST_UID")), gid_(variable("BANGER_TEST_GID")),
      is_long_(variable("BANGER_TEST_LONG") == "1") {}

// README first, then the pages as docs/README.md links them. A page that it does not link is a
// mistake.
bool walk::read_pages() {
  std::vector<std::string> names{"README.md", "docs/README.md"};
  for (const auto& target : linked_pages(read(source_ / "docs/README.md")))
    names.push_back("docs/" + target);
  bool good = true;
  for (const auto& entry : fs::directory_iterator(source_ / "docs")) {
    const auto name = "docs/" + entry.path().filename().string();
    if (entry.path().extension() == ".md" &&
        std::find(names.begin(), names.end(), name) == names.end()) {
      std::cout << name << ": docs/README.md does not link it\n";
      good = false;
    }
  }
  for (const auto& name : names) {
    pages_.emplace_back(name, parse_page(read(source_ / name)));
    for (const auto& why : pages_.back().second.mistakes)
      std::cout << name << ":" << why << "\n";
    good = good && pages_.back().second.mistakes.empty();
  }
  return good;
}

// A checkout as scripts/quickstart leaves it, of which only the programs are there, and a fresh
// HOME.
void walk::settle_in() {
  const auto checkout = stage_ / "banger", run = stage_ / "run";
  for (const auto& folder : {checkout / "build", run})
    fs::create_directories(folder);
  fs::create_symlink(variable("BANGER_TEST_BIN"), checkout / "build/bin");
  for (const auto& folder : {run, checkout}) {
    fs::permissions(folder, fs::perms::owner_all);
    if (::chown(folder.c_str(), static_cast<uid_t>(std::stoul(uid_)),
                static_cast<gid_t>(std::stoul(gid_))) != 0)
      throw std::runtime_error("cannot give away " + folder.string());
  }
  reader_.folder = checkout;
  reader_.env = {{"HOME", home_},
                 {"XDG_RUNTIME_DIR", run},
                 {"PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"},
                 {"LANG", "C.UTF-8"},
                 {"TERM", "xterm-256color"},
                 {"BANGER_DOCS_SCRIPT", stage_ / "script"}};
  if (const auto scale = variable("BANGER_TEST_TIME_SCALE"); !scale.empty())
    reader_.env["BANGER_TEST_TIME_SCALE"] = scale;
  open_page("what scripts/quickstart runs last");
  if (!is_long_)
    take_images();
  const command last{
      0, "build/bin/banger vm run --rm -- uname -a", {"...", "Linux ... GNU/Linux"}, false};
  judge("scripts/quickstart", last, true, time({}, last));
}

// Images and kernel that the fixtures of tests/e2e made for this user: minutes of packages less.
void walk::take_images() {
  const auto made = fs::path(variable("BANGER_TEST_SHARED")) / "user/warm";
  const auto link = [&](const char* from, const char* to) {
    if (fs::exists(made / from))
      shell_->run("mkdir -p -m 700 " + std::string(to) + " && cp -al '" + (made / from).string() +
                  "' " + to + "/");
  };
  link("s/banger/images", "~/.local/state/banger");
  link("c/banger/kernels", "~/.cache/banger");
}

void walk::open_page(const std::string& name) {
  std::cout << "== " << name << std::endl;
  reader_.become.clear();
  if (apart_)
    reader_.become = apart_->enter();
  for (const auto& word : {std::string("setpriv"), "--reuid=" + uid_, "--regid=" + gid_,
                           std::string("--clear-groups"), std::string("--")})
    reader_.become.push_back(word);
  shell_ = std::make_unique<shell>(reader_);
}

// The pages share HOME, VMs and PATH; shells and what needed root end with their page.
void walk::close_page() {
  if (root_shell_)
    root_shell_->run("banger daemon stop");
  root_shell_.reset();
  if (shell_ && apart_)
    shell_->run("banger daemon stop");
  if (shell_)
    take_path();
  shell_.reset();
  for (const auto& helper : by_sudo_) {
    helper->signal(SIGTERM);
    helper->wait(test::milliseconds(15'000));
  }
  by_sudo_.clear();
  apart_.reset();
}

// Other shells begin with the PATH that the page has set.
void walk::take_path() {
  if (auto path = lines_of(shell_->run("echo \"$PATH\"").output); path.size() == 1)
    reader_.env["PATH"] = path.front();
}

void walk::go_apart() {
  if (apart_)
    return;
  take_path();
  apart_ = std::make_unique<apart>();
  open_page("from here on apart from this host's network");
}

std::string walk::reason_to_pass(const block& b) const {
  if (b.elsewhere)
    return "elsewhere";
  if (b.is_long && !is_long_)
    return "long";
  if (b.root && ::access("/dev/net/tun", R_OK | W_OK) != 0)
    return "needs /dev/net/tun";
  return {};
}

void walk::take(const std::string& name, const block& b) {
  const auto at = [&](int line) { return name + ":" + std::to_string(line); };
  if (b.lang == language::text)
    return;
  if (const auto why = reason_to_pass(b); !why.empty()) {
    std::cout << at(b.line) << ": left out: " << why << std::endl;
    ++tally_.left_out;
    return;
  }
  if (b.lang == language::toml)
    return judge(at(b.line), {0, "config.toml", {}, false}, false, check_toml(b));
  if (b.root)
    go_apart();
  for (const auto& c : b.commands)
    judge(at(c.line), c, !c.shown.empty() && !b.terminal, time(b, c));
}

answer walk::time(const block& b, const command& c) {
  const auto begun = test::clock::now();
  auto got = do_command(b, c);
  got.took = std::chrono::duration_cast<test::milliseconds>(test::clock::now() - begun);
  return got;
}

answer walk::do_command(const block& b, const command& c) {
  if (c.by_root)
    return do_by_root(c.text);
  if (b.terminal) {
    take_path();
    return run_at_terminal(reader_, c.text, c.shown);
  }
  if (c.text.starts_with("sudo "))
    return do_sudo(c.text.substr(5));
  return shell_->run(c.text);
}

// The user's shell expands the words, since `$(id -u)` is the user's there; then root runs them.
answer walk::do_sudo(const std::string& rest) {
  if (!apart_)
    return {1, {}, "a block with sudo has the mark root"};
  const bool beside = rest.starts_with("-b ");
  auto words = apart_->enter();
  for (const auto& word : {std::string("env"), std::string("-C"), reader_.folder})
    words.push_back(word);
  for (auto& word : expand(*shell_, beside ? rest.substr(3) : rest))
    words.push_back(std::move(word));
  test::program p{words, {{"PATH", reader_.env.at("PATH")}}};
  if (!beside) {
    const auto end = test::run(p, {}, one_step);
    return {end.status, end.out, end.err};
  }
  by_sudo_.push_back(std::make_unique<test::child>(p));
  auto& helper = *by_sudo_.back();
  const bool serves =
      helper.until([&] { return helper.err().find("serving") != std::string::npos; }, one_step);
  return {serves ? 0 : 1, helper.out(), helper.err()};
}

// Root has a HOME of its own, with the kernel that the user's daemon fetched: here is no network.
answer walk::do_by_root(const std::string& text) {
  if (!root_shell_) {
    const auto home = stage_ / "roothome", run = stage_ / "rootrun";
    for (const auto& folder : {home / ".cache/banger", run})
      fs::create_directories(folder);
    for (const auto& folder : {home / ".cache/banger", run})
      fs::permissions(folder, fs::perms::owner_all);
    person root{apart_->enter(), reader_.env, reader_.folder};
    root.env["HOME"] = home;
    root.env["XDG_RUNTIME_DIR"] = run;
    root.env["BANGER_DOCS_SCRIPT"] = stage_ / "rootscript";
    root_shell_ = std::make_unique<shell>(root);
    root_shell_->run("cp -r " + (home_ / ".cache/banger/kernels").string() + " " +
                     (home / ".cache/banger").string());
  }
  return root_shell_->run(text);
}

// No page and no message of a program names a command that does not exist.
void walk::check_named_commands() {
  std::map<std::string, std::string> named; // a place where it is named
  const auto collect = [&](const std::string& file) {
    for (const auto& words : named_commands(read(source_ / file))) {
      std::string text = "banger";
      for (const auto& word : words)
        text += " " + word;
      named.emplace(text, file);
    }
  };
  for (const auto& [name, p] : pages_)
    collect(name);
  for (const auto* part : {"messages", "actors", "cli", "privhelper", "guest", "scripts"})
    for (const auto& entry : fs::recursive_directory_iterator(source_ / part))
      if (entry.is_regular_file())
        collect(fs::relative(entry.path(), source_));
  for (const auto& [text, file] : named)
    if (const auto got = shell_->run(text + " --help"); got.status != 0)
      judge(file, {0, text + " --help", {}, false}, false, got);
  std::cout << named.size() << " commands are named in pages and messages" << std::endl;
}

answer walk::check_toml(const block& b) {
  const auto file = stage_ / "config.toml";
  std::ofstream(file, std::ios::trunc) << b.body;
  return shell_->run("banger --config " + file.string() + " config show");
}

void walk::judge(const std::string& where, const command& what, bool compare, const answer& got) {
  ++tally_.run;
  const bool good = got.status == 0 && (!compare || matches(what.shown, lines_of(got.output)));
  std::cout << where << ": " << (good ? "ok: " : "FAILED: ") << what.text << " ("
            << got.took.count() << " ms)" << std::endl;
  if (good)
    return;
  ++tally_.failed;
  std::cout << "  status " << got.status << ", output:\n"
            << got.output << "\n  errors:\n"
            << got.errors << "\n";
  if (compare) {
    std::cout << "  the page shows:\n";
    for (const auto& line : what.shown)
      std::cout << line << "\n";
  }
}

void walk::go() {
  settle_in();
  for (const auto& [name, p] : pages_) {
    if (p.blocks.empty())
      continue;
    close_page();
    open_page(name);
    for (const auto& b : p.blocks)
      take(name, b);
  }
  check_named_commands();
}

walk::~walk() {
  if (shell_)
    shell_->run("banger vm delete $(banger ps -a -q); banger daemon stop");
  close_page();
}

int walk::report() const {
  std::cout << tally_.run << " commands run, " << tally_.failed << " failed; " << tally_.left_out
            << " blocks left out, named above\n";
  return tally_.failed == 0 ? 0 : 1;
}

} // namespace banger::docs
