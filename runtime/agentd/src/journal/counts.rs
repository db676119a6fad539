//! What is counted of a journal.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What is counted of a journal. Cloning it makes another handle.
#[derive(Debug, Clone, Default)]
pub struct JournalCounts {
    /// Lines in the files.
    pub lines: Counter,
    /// Lines that are not: the queue was full, or the files could not be written.
    pub dropped: Counter,
    /// Bytes written.
    pub bytes: Counter,
    /// 1 while the files cannot be written.
    pub stopped: Gauge,
}

impl JournalCounts {
    /// Makes them known as `NAME_lines` and so on.
    pub fn register(&self, registry: &mut Registry, name: &str) {
        let r = registry.sub_registry_with_prefix(name);
        r.register("lines", "Lines in the files", self.lines.clone());
        r.register(
            "dropped_lines",
            "Lines lost to a full queue or to files that could not be written",
            self.dropped.clone(),
        );
        r.register("bytes", "Bytes written", self.bytes.clone());
        r.register(
            "stopped",
            "1 while the files cannot be written",
            self.stopped.clone(),
        );
    }
}
