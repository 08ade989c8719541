// What a daemon finds and prepares before its first actor lives: folders, key, back-ends, recorded
// VMs.
#pragma once

#include "actors/daemon/options.hpp"
#include "actors/hypervisor/probe.hpp"
#include "actors/store/database.hpp"
#include "actors/vms/vms.hpp"
#include "messages/base/paths.hpp"
#include "messages/base/unique_fd.hpp"
#include "messages/config/config.hpp"

#include <set>

namespace banger::daemon {

/// Comes first: the file says what is logged. The errors of `config::load` and `settle`.
expected<config::settings> read_config(options& o);

/// Makes or checks them, and opens the log.
expected<folders> prepare_folders(const options& o);

/// One daemon per state folder, whatever its sockets are called: held while the daemon lives.
/// `already_exists`.
expected<unique_fd> lock_state(const folders& where);

/// Who may log in to VMs: the owner of our own key, which is made when the first VM is launched, or
/// of the user's own, `chosen`, which is never made and is read now. `bad_request`: that is missing
/// or of another kind.
using key_source = std::function<expected<std::vector<std::string>>()>;
expected<key_source> find_key(const folders& where,
                              const std::optional<std::filesystem::path>& chosen);

/// Back-ends by probing; `why` names what was passed over.
struct back_ends {
  vm::host site;
  std::string root_disk, confinement;
};
expected<back_ends> find_back_ends(const folders& where, const options& o,
                                   const config::settings& settings);

/// Its parts that do not change while the daemon runs.
messages::daemon_status describe_daemon(const folders& where, const back_ends& found,
                                        const config::settings& settings);

/// Each VM of the database with what is to be done about it, from the journal and the evidence on
/// the host.
std::vector<vms::found_vm> take_stock(const store::snapshot& recorded,
                                      const std::filesystem::path& vms);

/// Rows of the journal that cannot be read, a line each. They are set aside: what becomes of their
/// VM, the evidence on the host decides.
std::vector<std::string> damaged_intents(const store::snapshot& recorded);

/// Folders of VMs that the database does not know, as after an older copy of it was put back. They
/// are left alone, since a newer copy may come.
std::vector<messages::orphan_view> find_orphans(const store::snapshot& recorded,
                                                const std::filesystem::path& vms,
                                                const std::filesystem::path& images);
/// For the log, with the hypervisor if it runs.
std::string describe_orphan(const messages::orphan_view& orphan);

/// Ids of VMs whose rows cannot be read.
std::set<std::string> set_aside(const store::snapshot& recorded);

/// BANGER_INIT, else banger-init beside our own program or, once installed, in ../libexec/banger.
std::filesystem::path find_banger_init();

} // namespace banger::daemon
