// How a scripted machine misbehaves, by the MiB of its memory. No dependency: tests use it, too.
#pragma once

#include <cstdint>
#include <string_view>

namespace banger::scripted {

enum class behaviour : std::uint8_t {
  good,               ///< any other size
  dies_at_once,       ///< before it listens
  never_boots,        ///< no hello, ever
  dies_in_boot,       ///< when the host says its first word
  hangs_in_configure, ///< hears `configure` and is silent
  dies_in_configure,
  refuses_configure,
  boots_late,       ///< hello after 300 ms
  never_is_booted,  ///< does not answer `await_boot`
  ignores_stop,     ///< the agent's poweroff; QMP quit ends it
  ignores_quit,     ///< both; only a signal ends it
  leaves_by_itself, ///< in good order, 200 ms after it was configured
  crashes,          ///< the same, but not in good order
  forgets_its_host, ///< never speaks again once its first host has gone
  answers_nothing,  ///< hears `ask_ports` and `ask_health` and is silent
  is_of_old,        ///< its agent speaks protocol 1 and knows no questions
};

inline constexpr unsigned first_odd_memory = 1001;

constexpr behaviour behaviour_of(unsigned memory_mib) {
  const auto last = first_odd_memory + static_cast<unsigned>(behaviour::is_of_old) - 1;
  return memory_mib < first_odd_memory || memory_mib > last
             ? behaviour::good
             : static_cast<behaviour>(memory_mib - first_odd_memory + 1);
}

/// The memory that makes a machine behave so.
constexpr unsigned memory_for(behaviour b) {
  return b == behaviour::good ? 256 : first_odd_memory + static_cast<unsigned>(b) - 1;
}

constexpr std::string_view name_of(behaviour b) {
  constexpr std::string_view names[] = {"good",
                                        "dies at once",
                                        "never boots",
                                        "dies in boot",
                                        "hangs in configure",
                                        "dies in configure",
                                        "refuses configure",
                                        "boots late",
                                        "never is booted",
                                        "ignores stop",
                                        "ignores quit",
                                        "leaves by itself",
                                        "crashes",
                                        "forgets its host",
                                        "answers nothing",
                                        "is of old"};
  return names[static_cast<unsigned>(b)];
}

} // namespace banger::scripted
