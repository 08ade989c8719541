// The state behind the images actor (images.hpp). A task is a kernel or an image that is being
// made; parties wait for it. The story of a VM that wants an image is join (kernel) → settle → join
// (image) → settle. A task looks first, and makes what is not there.
#pragma once

#include "actors/image/images.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <set>

namespace banger::image {

inline const std::string the_kernel; ///< its key among the tasks: images have names

failure cancelled();
failure leaving();

class images_state : public actor::state_base {
public:
  static inline const char* name = "images";

  void init(images_actor::pointer self, image_crew crew);
  void meet(const messages::vms_facet& vms);
  caf::result<void> drain();

  caf::result<image_set_ptr> ensure(const std::string& wanted, const note_listener& listener);
  void leave(const note_listener& listener);
  caf::result<messages::op_ticket> begin(const messages::image_request& request);
  caf::result<bool> cancel(const std::string& op);
  caf::result<std::vector<messages::image_view>> list();
  caf::result<void> remove(const std::string& wanted);
  caf::result<void> known(const std::string& wanted);

private:
  using clock = std::chrono::steady_clock;
  using set_promise = caf::typed_response_promise<image_set_ptr>;
  using boot_set_ptr = std::shared_ptr<const boot::boot_set>;

  /// Who waits: a VM (with an answer to give and a listener) or an operation.
  struct party {
    std::string image;
    std::optional<set_promise> answer;
    note_listener listener;
    boot_set_ptr kernel; ///< the VM's; comes before the image
    std::string op;
    clock::time_point began;
  };

  struct task {
    std::optional<recipe> build; ///< to be made whatever is there; none: made if it is not there
    std::vector<party> parties;
    std::vector<party> leaving; ///< operations that were cancelled, told when all is undone
    std::stop_source stop;
    bool making = false;                                            ///< else it is being looked for
    bool fixed() const { return making && !stop.stop_requested(); } ///< what comes of it is
  };

  struct product {
    boot_set_ptr kernel;
    std::optional<image_info> image;
  };

  void join(const std::string& key, party who);
  void start(const std::string& key);
  void looked(const std::string& key, const expected<std::optional<product>>& found);
  void make(const std::string& key);
  void spread(const std::string& key, const note& news);
  void settle(const std::string& key, const expected<product>& made);
  void conclude(party who, const expected<product>& made);
  void end(const party& who, const failure* why);
  void stop_if_alone(task& t);
  messages::op_ticket order(const recipe& what, const messages::client_actor& asker);
  expected<void> check_free(const recipe& what, bool fresh) const;
  bool is_wanted(const std::string& image) const;
  void prune(std::vector<std::string> names);
  void tell_drained();

  template <class Then>
  void with_vms(Then then);
  template <class Job, class Then>
  void submit(const work::run_fn& where, Job job, Then then) {
    work::submit(where, images_actor(self_), std::move(job), std::move(then));
  }

  images_actor::pointer self_ = nullptr;
  image_crew crew_;
  messages::vms_facet vms_;
  std::map<std::string, task> tasks_; ///< by image; the kernel has no name
  std::set<std::string> deleting_;    ///< nobody gets these any more
  bool draining_ = false;             ///< nothing is made any more
  std::vector<caf::typed_response_promise<void>> drained_;
};

// The VMs that there are; none as long as nobody knows any.
template <class Then>
void images_state::with_vms(Then then) {
  constexpr auto list_deadline = std::chrono::seconds(10);
  if (!vms_)
    return then(expected<std::vector<messages::vm_view>>(std::vector<messages::vm_view>{}));
  actor::ask(self_, vms_, list_deadline, messages::list_atom::value)
      .then([then](const std::vector<messages::vm_view>& vms) mutable { then(vms); },
            [then](caf::error& why) mutable { then(tl::unexpected(actor::from_error(why))); });
}

} // namespace banger::image
