// The network actor's state. Inside this folder only.
#pragma once

#include "actors/network/network.hpp"

#include <chrono>
#include <map>

namespace banger::network {

inline constexpr std::chrono::seconds deadline{20}; ///< of an order

/// One that is on the bridge.
struct guest {
  std::string name;
  ipv4 address;
  bool nat = false;
};

/// One that comes. It is let in as long as nobody has said that it goes again.
struct newcomer {
  arrival who;
  ipv4 address;
  caf::typed_response_promise<lease_ptr> answer;
  std::uint64_t visit = 0;
  bool again = false; ///< what was missing was made once more for it
};

/// One that goes, and who wants to know when it is gone.
struct leaver {
  std::string vm;
  guest who;
  std::vector<caf::typed_response_promise<void>> answers;
};

class network_state : public actor::state_base {
public:
  static inline const char* name = "network";

  void init(network_actor::pointer self, surroundings around);

  caf::result<lease_ptr> attach(const arrival& who);
  caf::result<void> detach(const std::string& op, const std::string& vm);
  caf::result<messages::policy_reply> set_nat(const std::string& op, const std::string& vm,
                                              bool nat);
  caf::result<void> rename(const std::string& vm, const std::string& to);
  void forget(const std::string& vm);

private:
  using then = std::function<void(const expected<void>&)>;

  void look_around();
  messages::network_sweep strangers(const messages::network_inventory& found) const;
  void sweep_ground(const std::string& op, const std::function<void()>& next);
  void lay_ground(const std::string& op, then done);
  void ground_step(const std::string& op);
  void route_names(const std::string& op);
  void ground_laid(const expected<void>& outcome);
  void settle_in(const newcomer& one);
  void admit(const newcomer& one);
  void not_admitted(newcomer one, const failure& why);
  void open_tap(const newcomer& one, const messages::policy_reply& policy);
  void hand_out(const newcomer& one, const lease_ptr& made);
  bool turned_back(const newcomer& one);
  void answer(const newcomer& one, expected<lease_ptr> outcome);
  void turn_back(const std::string& vm);
  leaver* find_leaver(const std::function<bool(const leaver&)>& is_it);
  leaver* leave(const std::string& op, const std::string& vm);
  void withdraw(const std::string& op);
  void withdraw_guests(const std::string& op);
  void withdrawn();
  messages::guest_order order_of(const guest& g) const;
  template <class Order>
  Order about(const std::string& op) const;
  template <class Atom, class Order, class Then>
  void say(Atom what, const Order& order, Then after,
           const std::function<void(const failure&)>& failed);

  network_actor::pointer self_ = nullptr;
  std::optional<surroundings> around_;
  std::optional<address_book> addresses_;
  privileged::privileged_actor privileged_;
  std::map<std::string, guest> guests_;           ///< on the bridge now, by VM
  std::map<std::string, std::uint64_t> arriving_; ///< visits without an answer, by VM
  std::uint64_t last_visit_ = 0;
  std::vector<newcomer> returning_; ///< until what had their address is gone
  std::vector<leaver> leaving_, being_withdrawn_;

  bool swept_ = false;        ///< of what a daemon before us left
  bool ground_ = false;       ///< bridge and policy are what they are to be, as far as we know
  std::vector<then> waiting_; ///< until they are
};

template <class Order>
Order network_state::about(const std::string& op) const {
  Order order;
  order.op = op;
  order.bridge = around_->bridge.str();
  if constexpr (requires { order.network; })
    order.network = around_->net->str();
  return order;
}

template <class Atom, class Order, class Then>
void network_state::say(Atom what, const Order& order, Then after,
                        const std::function<void(const failure&)>& failed) {
  actor::ask(self_, privileged_, deadline, what, order).then(after, [failed](caf::error& why) {
    failed(actor::from_error(why));
  });
}

} // namespace banger::network
