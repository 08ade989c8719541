// The state behind the directory (vms.hpp).
#pragma once

#include "actors/vms/resolve.hpp"
#include "actors/vms/vms.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <set>

namespace banger::vms {

class vms_state : public actor::state_base {
public:
  static inline const char* name = "vms";

  void init(vms_actor::pointer self, std::vector<found_vm> found, surroundings around);

  caf::result<messages::op_ticket> begin(const messages::create_request& request);
  caf::result<messages::op_ticket> begin(const messages::verb_request& request);
  caf::result<bool> cancel(const std::string& op);
  std::vector<messages::vm_view> list() const;
  caf::result<messages::vm_detail> show(const std::string& ref);
  caf::result<messages::stream_ticket> exec(const messages::exec_request& request);
  caf::result<messages::stream_ticket> logs(const messages::logs_request& request);
  census count() const;
  caf::result<void> drain();

  void changed(const messages::vm_view& view);
  void heard(const messages::progress& news);
  void ended(messages::finished end);
  void flush(const std::string& op);
  void gone(const caf::down_msg& down);

private:
  using client = messages::client_actor;
  using clock = std::chrono::steady_clock;

  struct entry {
    vm::vm_actor actor;
    messages::vm_view view;
    caf::actor_addr owner; ///< of an ephemeral VM: who must live for it to stay
  };

  struct operation {
    client asker;
    std::string vm;
    clock::time_point last_sent;
    std::string last_stage;
    std::optional<messages::progress> held; ///< sent when the burst is over
  };

  expected<void> check_open() const;
  expected<vm::record> check(const messages::create_request& request) const;
  expected<std::string> find(std::string_view ref) const;
  std::vector<known_vm> known() const;
  void adopt(vm::record record, vm::recovery then);
  caf::result<messages::op_ticket> order(const std::string& id, vm::verb what);
  void watch(const caf::strong_actor_ptr& who);
  void lost_client(const caf::actor_addr& who);
  void lost_vm(const std::string& id);
  void send(operation& op, const messages::progress& news);

  vms_actor::pointer self_ = nullptr;
  surroundings around_;
  std::map<caf::actor_addr, std::string> actors_; ///< VM actors that live, with the id of their VM
  std::map<std::string, entry> vms_;              ///< by id
  std::map<std::string, operation> operations_;
  std::set<caf::actor_addr> watched_; ///< clients
  std::vector<caf::typed_response_promise<void>>
      drained_; ///< who waits for the last operation to end
};

} // namespace banger::vms
