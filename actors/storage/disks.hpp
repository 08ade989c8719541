// The disks of one VM: how its root is split off the image, and its work disk. Sizes in bytes.
// Every file here is sparse and appears by a rename, whole.
#pragma once

#include "messages/base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace banger::storage {

/// How a VM's root differs from the shared image. `vm show` prints the name.
enum class root_disk_kind : std::uint8_t {
  reflink, ///< root.img: a clone of the image that shares its blocks (FICLONE)
  qcow2,   ///< root.qcow2: the changes only, the image behind it (QEMU only)
  overlay, ///< upper.img: an ext4 for the guest's overlayfs over the read-only image
};

std::string_view to_string(root_disk_kind kind);
/// Of its file, in a VM's folder.
std::string_view file_name(root_disk_kind kind);
/// `bad_request` lists the names.
expected<root_disk_kind> parse_root_disk_kind(std::string_view text);

struct root_disk_choice {
  root_disk_kind kind = root_disk_kind::overlay;
  std::string passed_over; ///< why nothing better: "reflink: Operation not supported"; may be empty
};

/// The best kind that works in this folder's file system (really tried there, with a scratch file),
/// or exactly the wanted one. `hypervisor_has_qcow2`: QEMU yes, Firecracker no.
/// `unavailable`: the wanted kind does not work here, and why.
expected<root_disk_choice> choose_root_disk(const std::filesystem::path& folder,
                                            std::optional<root_disk_kind> wanted = {},
                                            bool hypervisor_has_qcow2 = true);

struct root_disk {
  root_disk_kind kind = root_disk_kind::overlay;
  std::filesystem::path file; ///< reflink, qcow2: the root; overlay: the upper layer
  std::string format;         ///< as QEMU says it: raw | qcow2
};

/// Makes the root of a VM from `image` (a raw disk) in the VM's folder. `upper_bytes`: size of an
/// overlay's upper file system. `already_exists`, `not_found`; a full disk leaves nothing behind.
expected<root_disk> make_root_disk(root_disk_kind kind, const std::filesystem::path& image,
                                   const std::filesystem::path& vm_folder,
                                   std::uint64_t upper_bytes, const std::stop_token& stop = {});

/// An empty ext4 with journal, its root folder 0:0 and 0700. About 5 ms at 8 GiB.
/// `already_exists`, `bad_request` (below 16 MiB or above 16 TiB).
expected<void> make_work_disk(const std::filesystem::path& file, std::uint64_t bytes,
                              const std::stop_token& stop = {});

/// The same as a copy of a disk of that size in the folder `blanks`, which is made when it is first
/// wanted: mke2fs takes longer than all else that is done for a VM. Such disks share their UUID.
expected<void> make_work_disk(const std::filesystem::path& file, std::uint64_t bytes,
                              const std::filesystem::path& blanks,
                              const std::stop_token& stop = {});

/// Makes the file larger, sparsely; the file system in it grows when the guest is told.
/// `bad_request` if it is larger already. Nothing to do if it is as large.
expected<void> grow_file(const std::filesystem::path& file, std::uint64_t bytes);

/// Is there anything but a hole from this byte on? Where that cannot be told: yes.
bool has_data(const std::filesystem::path& file, std::uint64_t from);

/// What the file really takes on the host's disk.
expected<std::uint64_t> allocated_bytes(const std::filesystem::path& file);

} // namespace banger::storage
