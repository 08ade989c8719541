// Writes what is installed beside the programs: manual pages and completion scripts. Runs when
// banger is built: `banger_generate FOLDER` makes FOLDER/man and FOLDER/completion.
#include "cli/complete.hpp"
#include "cli/manual.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace fs = std::filesystem;
using namespace banger::cli;

namespace {

bool put(const fs::path& file, std::string_view text) {
  fs::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (!out)
    std::fprintf(stderr, "banger_generate: cannot write %s\n", file.c_str());
  return bool(out);
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: banger_generate FOLDER\n", stderr);
    return 2;
  }
  const fs::path folder = argv[1];
  bool ok = true;
  for (const auto& page : manual_pages())
    ok = put(folder / "man" / page.file, page.text) && ok;
  ok = put(folder / "completion/bash/banger", completion_script("bash")) && ok;
  ok = put(folder / "completion/zsh/_banger", completion_script("zsh")) && ok;
  ok = put(folder / "completion/fish/banger.fish", completion_script("fish")) && ok;
  return ok ? 0 : 1;
}
