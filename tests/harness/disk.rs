//! A small disk that can be filled.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};

/// A small file system in memory; unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of so many MiB.
    ///
    /// # Errors
    /// When this is not allowed.
    pub fn mount(at: &Path, mebibytes: u32) -> Result<Self> {
        fs::create_dir_all(at)?;
        let mut mount = Command::new("mount");
        let options = format!("size={mebibytes}m,mode=0700");
        let made = mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output()?;
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr);
            bail!("a small disk cannot be mounted, this must run as root: {said}");
        }
        Ok(Self(at.to_owned()))
    }

    /// Fills it to the last byte; gives the file to delete.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn fill(&self) -> Result<PathBuf> {
        let path = self.0.join("filler");
        let mut file = File::create(&path)?;
        let block = [0; 4_096];
        while file.write_all(&block).is_ok() {}
        Ok(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: after a failed test somebody may still have files open there.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
