// Text for people: tables, errors, times. Everything is returned as a string; ASCII only.
#pragma once

#include "messages/base/error.hpp"
#include "messages/base/version.hpp"
#include "messages/events.hpp"
#include "messages/models.hpp"
#include "messages/reads.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace banger::cli {

using row = std::vector<std::string>;

/// Columns as wide as their widest cell plus two spaces; nothing after the last one.
std::string table(const std::vector<row>& rows);

/// Control characters and what is not ASCII become '?': a guest's or daemon's words must not move
/// a terminal's cursor.
std::string plain(std::string_view text);
/// Each line of it, the empty ones at its end left out; one at least.
std::vector<std::string> plain_lines(std::string_view text);

/// "banger: WHAT: WHY; REMEDY (op-xxxxxx)\n"; the prefix red if `colour`. Further lines of WHY, as
/// those of a guest's console, come after it, indented.
std::string error_line(const failure& f, bool colour);

std::string duration(std::uint64_t micros);                   ///< "850 us", "12.3 ms", "4.56 s"
std::string age(std::uint64_t then_ms, std::uint64_t now_ms); ///< "3 minutes ago"

std::string vm_table(const std::vector<messages::vm_view>& vms, std::uint64_t now_ms);
std::string id_lines(const std::vector<messages::vm_view>& vms);
std::string vm_page(const messages::vm_detail& vm, std::uint64_t now_ms);
/// "spec: 2 vcpu | 1024 MiB | 8G disk | tiny\n"
std::string spec_line(const messages::create_request& vm);
/// `config_note` follows the name of the daemon's configuration file.
std::string status_page(const messages::daemon_status& daemon, std::string_view config_note);
/// Folders without a record.
std::string orphan_table(const std::vector<messages::orphan_view>& orphans);
std::string image_table(const std::vector<messages::image_view>& images, std::uint64_t now_ms);
std::string operations_table(const std::vector<messages::operation_view>& all,
                             std::uint64_t now_ms);
std::string stats_table(const std::vector<messages::vm_stats>& all);
std::string ports_table(const std::vector<messages::vm_ports>& all);
std::string health_table(const std::vector<messages::vm_health>& all);
/// One event (docs/events.md) as a line for people; as it is, if it cannot be read.
std::string event_line(std::string_view json);
std::string actors_table(const std::vector<messages::actor_view>& all);
/// Every stage with its time, then the sum of our own and of all.
std::string timing_table(const std::vector<messages::stage_time>& stages);

std::string version_line(const build_info& build);
std::string version_page(const build_info& build);

// For programs: the fields of messages/models.hpp by their names, two spaces of indent, a newline.
std::string vms_json(const std::vector<messages::vm_view>& vms);
std::string vm_json(const messages::vm_view& vm);
std::string vm_json(const messages::vm_detail& vm);
std::string status_json(const messages::daemon_status& daemon, bool config_is_stale);
std::string images_json(const std::vector<messages::image_view>& images);
std::string operations_json(const std::vector<messages::operation_view>& all);
/// `one_line`: without line breaks inside, for programs that read one sample after the other.
std::string stats_json(const std::vector<messages::vm_stats>& all, bool one_line = false);
std::string ports_json(const std::vector<messages::vm_ports>& all);
std::string health_json(const std::vector<messages::vm_health>& all);
std::string actors_json(const std::vector<messages::actor_view>& all);
std::string no_daemon_json();
std::string version_json(const build_info& build);

} // namespace banger::cli
