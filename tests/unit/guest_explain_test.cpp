#include "guest/explain.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>
#include <fstream>
#include <map>
#include <sstream>

using namespace banger::guest;

namespace {

using files = std::map<std::string, file_facts>;

std::string explain(int error, const std::string& path, const files& there) {
  return explain_failure(error, path, [&](const std::string& name) -> std::optional<file_facts> {
    const auto found = there.find(name);
    return found == there.end() ? std::nullopt : std::optional(found->second);
  });
}

void put(std::string& bytes, std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i)
    bytes[at + i] = static_cast<char>((value >> (8 * i)) & 0xff);
}

// One program header, and what it points at behind it.
std::string elf(bool wide, const std::string& loader, std::uint16_t machine = 62) {
  std::string bytes(512, '\0');
  bytes.replace(0, 6, std::string("\177ELF") + (wide ? '\2' : '\1') + '\1');
  put(bytes, 18, machine, 2);
  const std::size_t table = 64, text = 256;
  put(bytes, wide ? 32 : 28, table, wide ? 8 : 4);
  put(bytes, wide ? 54 : 42, wide ? 56 : 32, 2);
  put(bytes, wide ? 56 : 44, 2, 2);
  const auto second = table + (wide ? 56 : 32);
  put(bytes, table, 6, 4);
  put(bytes, second, loader.empty() ? 1 : 3, 4);
  put(bytes, second + (wide ? 8 : 4), text, wide ? 8 : 4);
  put(bytes, second + (wide ? 32 : 16), loader.size() + 1, wide ? 8 : 4);
  bytes.replace(text, loader.size(), loader);
  return bytes;
}

} // namespace

TEST_CASE("the interpreter of a script is the first word of its first line") {
  CHECK(script_interpreter("#!/bin/sh\necho") == "/bin/sh");
  CHECK(script_interpreter("#! \t/usr/bin/env  python3 -u\n") == "/usr/bin/env");
  CHECK(script_interpreter("#!/bin/sh") == "/bin/sh");
  CHECK(script_interpreter("#!/bin/sh\r\necho\r\n") == "/bin/sh\r");
  CHECK(script_interpreter("#! \n/bin/sh") == "");
  CHECK(script_interpreter("#!") == "");
  CHECK_FALSE(script_interpreter("# !/bin/sh\n"));
  CHECK_FALSE(script_interpreter(""));
}

TEST_CASE("the loader of a program is read from what is there of it") {
  CHECK(elf_loader(elf(true, "/lib64/ld.so")) == "/lib64/ld.so");
  CHECK(elf_loader(elf(false, "/lib/ld.so", 3)) == "/lib/ld.so");
  CHECK_FALSE(elf_loader(elf(true, "")));
  const auto whole = elf(true, "/lib64/ld.so");
  for (std::size_t size = 0; size < 268; ++size)
    CHECK_FALSE(elf_loader(std::string_view(whole).substr(0, size)));
  auto wild = whole;
  put(wild, 32, ~std::uint64_t{0}, 8);
  CHECK_FALSE(elf_loader(wild));
  auto beyond = whole;
  put(beyond, 64 + 56 + 8, ~std::uint64_t{0} - 3, 8);
  CHECK_FALSE(elf_loader(beyond));
  std::ifstream self("/proc/self/exe", std::ios::binary);
  std::string head(explained_head, '\0');
  self.read(head.data(), static_cast<std::streamsize>(head.size()));
  CHECK(elf_loader(head).value_or("static").find("ld-linux") != std::string::npos);
}

TEST_CASE("what a file needs and does not find is named") {
  CHECK(explain(ENOENT, "/x", {{"/x", {"#!/usr/bin/nosuch -e\n"}}}) ==
        "its interpreter '/usr/bin/nosuch' does not exist");
  CHECK(explain(ENOENT, "/x", {{"/x", {"#!/bin/sh\r\necho\r\n"}}}) ==
        "its interpreter '/bin/sh\\r' does not exist: its first line ends with CR LF");
  CHECK(explain(ENOENT, "/x", {{"/x", {elf(true, "/lib/ld-musl-x86_64.so.1")}}}) ==
        "its loader '/lib/ld-musl-x86_64.so.1' does not exist");
  CHECK(explain(ENOENT, "/x", {{"/x", {"#!/y\n"}}, {"/y", {elf(true, "/lib/ld.so")}}}) ==
        "its interpreter '/y': its loader '/lib/ld.so' does not exist");
  CHECK(explain(ENOENT, "/x", {{"/x", {"#!/x\n"}}}).empty());
  CHECK(explain(ENOENT, "/x", {}).empty());
  CHECK(explain(ENOENT, "/x", {{"/x", {"#!" + std::string(4000, 'y')}}}).size() ==
        longest_explanation);
}

TEST_CASE("what may not be executed is named") {
  CHECK(explain(EACCES, "/x", {{"/x", {"#!/y\n"}}, {"/y", {"", false}}}) ==
        "its interpreter '/y' may not be executed");
  CHECK(explain(EACCES, "/x", {{"/x", {"#!/y\n"}}, {"/y", {"", true, true}}}) ==
        "its interpreter '/y' is a folder");
  CHECK(explain(EACCES, "/x", {{"/x", {"#!/y\n", false}}, {"/y", {"", false}}}).empty());
  CHECK(explain(EACCES, "/x", {{"/x", {"", true, true}}}) == "it is a folder");
}

TEST_CASE("a file of no format that the kernel knows is described") {
  const auto of = [](const std::string& head) { return explain(ENOEXEC, "/x", {{"/x", {head}}}); };
  CHECK(of("echo hello\n").find("a script without a #! line") != std::string::npos);
  CHECK(of("") == "it is empty");
  CHECK(of("#!\n") == "its first line names no interpreter after #!");
  CHECK(of(elf(true, "", 183)) == "it is a program for 64-bit ARM");
  CHECK(of(std::string("\1\2\3\0", 4)).empty());
  CHECK(explain(ETXTBSY, "/x", {{"/x", {"#!/y\n"}}}).empty());
}
