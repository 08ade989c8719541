// What actors have to say to the main thread, in order, behind a descriptor that it can poll beside
// signals. Pointers travel through a pipe, whose writes are atomic: no lock is needed.
#pragma once

#include "messages/base/unique_fd.hpp"

#include <functional>
#include <memory>

namespace banger::cli {

class mailbox {
public:
  mailbox();
  ~mailbox();
  mailbox(const mailbox&) = delete;
  mailbox& operator=(const mailbox&) = delete;

  /// From any thread.
  void post(std::function<void()> letter);
  /// In the main thread: runs what is there. True if anything was.
  bool open_letters();
  int fd() const { return read_.get(); }

private:
  std::unique_ptr<std::function<void()>> take();

  unique_fd read_, write_;
};

} // namespace banger::cli
