// Small files, folders and the kernel's log.
#pragma once

#include "guest/result.hpp"

#include <string>
#include <string_view>
#include <sys/types.h>

namespace banger::guest {

/// The whole file, at most `limit` bytes of it; empty if it cannot be read.
std::string read_file(const std::string& path, std::size_t limit = 1048576);

/// Into a file that exists: sysfs, procfs, cgroupfs.
done write_into(const std::string& path, std::string_view text);

/// Replaces the file, or the link of that name, in one step.
done write_file(const std::string& path, std::string_view text, mode_t mode = 0644);

/// Makes the folder and its parents; no error if it is there.
done make_folder(const std::string& path, mode_t mode = 0755);

bool is_folder(const std::string& path);
bool is_empty_folder(const std::string& path); ///< also true if there is none

/// One line to the kernel's log, from where it reaches the console if it is an error.
void klog(std::string_view line);
void klog_error(std::string_view line);

} // namespace banger::guest
