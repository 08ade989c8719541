// Who stirs the storm: says words that a seed draws to VMs that a seed draws, over a few
// connections at once, and holds every answer against the rules.
#pragma once

#include "cli/client.hpp"
#include "messages/base/unique_fd.hpp"
#include "tests/e2e/crash_scene.hpp"
#include "tests/e2e/storm_model.hpp"

#include <array>
#include <random>

namespace banger::storm {

class weather {
public:
  weather(crash::scene& home, std::uint32_t seed);

  /// So many words, and then what is on its way ends: all VMs must be as the rules say.
  void blow(unsigned words);
  void delete_all();

  std::map<std::string, unsigned> said;  ///< verbs
  std::map<std::string, unsigned> heard; ///< ends of operations, by their errors
  std::vector<double> millis;            ///< of each request, to its answer

private:
  static constexpr std::size_t connections = 4;

  std::size_t draw(std::size_t below) { return random_() % below; }
  cli::client& some_client() { return *clients_[draw(connections)]; }
  std::string called(std::size_t vm);
  std::uint64_t some_memory();

  void do_something();
  template <class Ask>
  auto timed(const std::string& word, Ask ask);
  void refused(std::size_t vm, vm::verb what, const failure& why);
  void create(std::size_t vm);
  void begin(std::size_t vm, vm::verb what, bool force = false);
  void set(std::size_t vm);
  void rename(std::size_t vm);
  expected<void> change(std::size_t vm, const std::string& word, const vm::change& to);
  void cancel();
  void list();
  void show(std::size_t vm);
  void touch(std::size_t vm);
  void exec(std::size_t vm);

  void hear();
  void wait();
  void make_room();
  void calm();
  void compare();

  crash::scene& home_;
  std::mt19937 random_;
  model model_;
  std::array<std::unique_ptr<cli::client>, connections> clients_;
  unique_fd null_;
  std::size_t last_ = 0; ///< the VM that was spoken to
  unsigned names_ = 0;   ///< that were made up
};

} // namespace banger::storm
