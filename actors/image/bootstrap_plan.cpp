#include "actors/image/bootstrap_plan.hpp"

#include "actors/storage/lines.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace banger::image {

namespace {

constexpr std::size_t most_errors = 20, most_last = 20;
constexpr const char* cannot_make = "cannot make a Debian image";
constexpr const char* or_tiny = "`--image tiny` needs no packages";

std::string join(const recipe& what) {
  std::string text;
  for (const auto name : packages_of(what.kind))
    text += (text.empty() ? "" : ",") + std::string(name);
  for (const auto& name : what.include)
    text += "," + name;
  return text;
}

// The N of "0 upgraded, N newly installed, ...".
std::optional<unsigned> newly_installed(std::string_view line) {
  constexpr std::string_view key = " newly installed";
  const auto end = line.find(key);
  if (end == std::string_view::npos)
    return {};
  const auto start = line.rfind(' ', end - 1);
  unsigned n = 0;
  const auto text = line.substr(start + 1, end - start - 1);
  if (std::from_chars(text.data(), text.data() + text.size(), n).ec != std::errc{})
    return {};
  return n;
}

// What stands between `before` and `after` in one of the lines.
std::string between(const std::vector<std::string>& lines, std::string_view before,
                    std::string_view after) {
  for (const auto& line : lines) {
    const auto at = line.find(before);
    if (at == std::string::npos)
      continue;
    const auto rest = std::string_view(line).substr(at + before.size());
    return std::string(rest.substr(0, after.empty() ? rest.size() : rest.find(after)));
  }
  return {};
}

bool mentions(const std::vector<std::string>& lines, std::string_view text) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const auto& line) { return line.find(text) != std::string::npos; });
}

} // namespace

std::string_view to_string(bootstrap_mode mode) {
  switch (mode) {
  case bootstrap_mode::root: return "root";
  case bootstrap_mode::unshare: return "unshare";
  case bootstrap_mode::fakechroot: return "fakechroot";
  }
  return "";
}

expected<bootstrap_mode> choose_mode(const bootstrap_facts& facts) {
  if (!facts.mmdebstrap)
    return fail(errc::unavailable, cannot_make, "mmdebstrap is not installed",
                std::string("`apt install mmdebstrap uidmap`; ") + or_tiny);
  if (facts.root)
    return bootstrap_mode::root;
  if (facts.subordinates)
    return bootstrap_mode::unshare;
  if (facts.fakechroot && facts.fakeroot && !facts.newer_libc)
    return bootstrap_mode::fakechroot;
  return fail(errc::unavailable, "cannot make a Debian image as an ordinary user",
              std::string(facts.newuidmap ? "user namespaces with subordinate ids do not work here"
                                          : "newuidmap is not installed") +
                  (facts.newer_libc ? ", and fakechroot does not work with a C library that is "
                                      "newer than the image's"
                                    : ", and fakechroot with fakeroot is not installed"),
              "`apt install uidmap`, with a line for you in /etc/subuid and /etc/subgid "
              "(`usermod --add-subuids`); " +
                  std::string(facts.newer_libc ? "" : "or `apt install fakechroot fakeroot`; ") +
                  or_tiny);
}

std::vector<std::string> confinement(bootstrap_mode mode) {
  if (mode == bootstrap_mode::fakechroot)
    return {};
  std::vector<std::string> words = {"setpriv", "--pdeathsig", "KILL", "--", "unshare"};
  if (mode == bootstrap_mode::unshare)
    words.insert(words.end(), {"--user", "--map-root-user", "--map-auto"});
  words.insert(words.end(), {"--mount", "--pid", "--fork", "--kill-child", "--"});
  return words;
}

std::vector<std::string> bootstrap_arguments(const bootstrap_plan& plan) {
  std::vector<std::string> all = {"mmdebstrap",
                                  plan.mode == bootstrap_mode::fakechroot ? "--mode=fakechroot"
                                                                          : "--mode=root",
                                  "--variant=minbase",
                                  "--architectures=amd64",
                                  plan.target.empty() ? "--format=tar" : "--format=directory",
                                  "--verbose",
                                  "--include=" + join(plan.what)};
  for (const auto* rule : path_rules)
    all.push_back(std::string("--dpkgopt=") + rule);
  if (!plan.options_file.empty())
    all.push_back("--aptopt=" + plan.options_file.string());
  all.insert(all.end(),
             {std::string(debian_suite), plan.target.empty() ? "-" : plan.target.string()});
  all.insert(all.end(), plan.from.lines.begin(), plan.from.lines.end());
  return all;
}

std::vector<std::string> archive_arguments(const std::filesystem::path& folder) {
  return {"tar",
          "--create",
          "--file=-",
          "--format=pax",
          "--pax-option=delete=atime,delete=ctime",
          "--numeric-owner",
          "--one-file-system",
          "--xattrs",
          "--xattrs-include=security.capability",
          "--exclude=./dev/*",
          "--blocking-factor=512",
          "--directory=" + folder.string(),
          "."};
}

std::optional<std::string> bootstrap_watch::hear(std::string_view line) {
  last_.emplace_back(line.substr(0, 500));
  if (last_.size() > most_last)
    last_.pop_front();
  constexpr std::string_view bad[] = {"E: ", "Err:", "W: Failed", "dpkg: error", "tar: "};
  if (std::any_of(std::begin(bad), std::end(bad), [&](auto b) { return line.starts_with(b); })) {
    if (errors_.size() < most_errors)
      errors_.emplace_back(line.substr(0, 500));
  } else if (const auto n = newly_installed(line)) {
    ++part_;
    all_ = *n;
    fetched_ = unpacked_ = configured_ = 0;
    doing_ = "retrieving";
  } else if (line.starts_with("Get:")) {
    ++fetched_;
    doing_ = all_ == 0 ? "reading the package lists" : "retrieving";
  } else if (line.starts_with("I: extracting")) {
    doing_ = "extracting";
  } else if (line.starts_with("Unpacking ")) {
    ++unpacked_;
    doing_ = "unpacking";
  } else if (line.starts_with("Setting up ")) {
    ++configured_;
    doing_ = "configuring";
  } else if (line.starts_with("I: creating tarball")) {
    all_ = 0;
    doing_ = "collecting the files";
  }
  auto now = detail();
  if (now.empty() || now == told_)
    return {};
  told_ = now;
  return now;
}

std::string bootstrap_watch::detail() {
  if (all_ == 0 || doing_ == "extracting")
    return doing_;
  const auto done = doing_ == "retrieving"  ? fetched_
                    : doing_ == "unpacking" ? unpacked_
                                            : configured_;
  return std::string(part_ == 1 ? "base system: " : "packages: ") + doing_ + " " +
         std::to_string(std::min(done, all_)) + " of " + std::to_string(all_);
}

bool is_of_bootstrap(const process_traits& process, const std::string& work) {
  const auto below = work + "/";
  if (process.root.starts_with(below) || process.cwd.starts_with(below))
    return true;
  // The second is what fakechroot gives to programs that mmdebstrap takes TMPDIR from.
  const auto temporary = "TMPDIR=" + work, base = "FAKECHROOT_BASE=" + below;
  bool found = false;
  storage::each_line(
      process.environment,
      [&](std::string_view entry) {
        found = found || entry == temporary || entry.starts_with(base);
      },
      '\0');
  return found;
}

// Empty where the lines say nothing of a missing package.
std::optional<failure> bootstrap_watch::explain_missing(std::string_view suite) const {
  auto missing = between(errors_, "Unable to locate package ", "");
  if (missing.empty())
    missing = between(errors_, "E: Package '", "' has no installation candidate");
  if (missing.empty())
    return {};
  return failure{errc::not_found,
                 "there is no package '" + missing + "' in Debian " + std::string(suite),
                 "the archive that packages come from does not have it",
                 "see `apt-cache search WORD` for names",
                 {}};
}

std::optional<failure> bootstrap_watch::explain_network() const {
  const auto offline = [](std::string why) {
    return failure{errc::unavailable,
                   cannot_make,
                   std::move(why),
                   std::string("check the network, or the sources in /etc/apt; ") + or_tiny,
                   {}};
  };
  auto host = between(errors_, "resolving '", "'");
  if (host.empty())
    host = between(errors_, "Could not resolve '", "'");
  if (!host.empty())
    return offline("the host name " + host + " could not be looked up");
  for (const auto* text :
       {"Could not connect to ", "Unable to connect to ", "Cannot initiate the "})
    if (mentions(errors_, text))
      return offline(text + between(errors_, text, "("));
  return {};
}

std::string bootstrap_watch::last_words() const {
  std::string text;
  for (const auto& line : last_)
    text += line + '\n';
  return text;
}

failure bootstrap_watch::explain(const failure& f, std::string_view suite) const {
  if (f.code != errc::operation_failed)
    return f;
  if (auto missing = explain_missing(suite))
    return *missing;
  if (auto network = explain_network())
    return *network;
  if (mentions(errors_, "No space left") || f.why.find("No space left") != std::string::npos)
    return {errc::operation_failed,
            cannot_make,
            "no space is left where it is put together",
            "free some where images are kept: see `banger daemon status`",
            {}};
  // apt's own words are better than mmdebstrap's about them.
  const auto of_apt = std::find_if(errors_.begin(), errors_.end(), [](const auto& line) {
    return line.find(" failed") == std::string::npos &&
           line.find("failed to run") == std::string::npos;
  });
  return {errc::operation_failed,
          cannot_make,
          of_apt != errors_.end() ? *of_apt
          : last_.empty()         ? f.why
                                  : last_.back(),
          std::string("see the daemon's log; ") + or_tiny,
          {}};
}

} // namespace banger::image
