// A scripted home with the questions that the lessons ask (docs/lessons.md).
#pragma once

#include "tests/e2e/scripted_home.hpp"
#include "tests/support/procfs.hpp"

#include <fstream>
#include <sys/stat.h>

namespace banger::test {

struct lesson_home : scripted_home {
  pid_t vmm(const std::string& vm) { return show(vm).at("pid").get<pid_t>(); }
  std::string state_of(const std::string& vm) { return show(vm).at("state"); }
  std::filesystem::path folder(const std::string& vm) {
    return show(vm).at("folder").get<std::string>();
  }
  bool answers(const std::string& vm) {
    return banger({"vm", "exec", vm, "--", "echo", "here"}).out == "here\n";
  }
  /// It is that very machine, as it says and as it is.
  bool lives_on(const std::string& vm, pid_t as) {
    return alive(as) && state_of(vm) == "running" && vmm(vm) == as && answers(vm);
  }
  /// A shell script, to stand in for a program.
  std::filesystem::path script(const std::string& name, const std::string& text) const {
    const auto file = top() / "fake" / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << "#!/bin/sh\n" << text << "\n";
    ::chmod(file.c_str(), 0755);
    return file;
  }
};

} // namespace banger::test
