//! The two text formats in which Prometheus reads metrics: OpenMetrics, which it asks for, and its own, for everybody else.

/// The same metrics in the text format of Prometheus: there a counter is called as its sample is, and nothing marks the end.
#[must_use]
pub fn plain(openmetrics: &str) -> String {
    let mut plain = String::with_capacity(openmetrics.len());
    let counters: Vec<_> = openmetrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    for line in openmetrics.lines() {
        let head = ["# HELP ", "# TYPE "];
        let described = head.iter().find_map(|head| {
            let (name, rest) = line.strip_prefix(head)?.split_once(' ')?;
            Some((head, name, rest))
        });
        match described {
            Some((head, name, rest)) if counters.contains(&name) => {
                plain.extend([head, name, "_total ", rest, "\n"]);
            }
            _ if line == "# EOF" || line.starts_with("# UNIT ") => {}
            _ => plain.extend([line, "\n"]),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_called_as_their_samples_are() {
        let text = "# HELP a_steps Steps.\n# TYPE a_steps counter\na_steps_total 1\n# HELP a_bytes Bytes.\n# UNIT a_bytes bytes\n\
            # TYPE a_bytes gauge\na_bytes 2\n# EOF\n";
        let expected = "# HELP a_steps_total Steps.\n# TYPE a_steps_total counter\na_steps_total 1\n# HELP a_bytes Bytes.\n\
            # TYPE a_bytes gauge\na_bytes 2\n";
        assert_eq!(plain(text), expected);
    }
}
