//! Manual pages and completions for shells, made from the description of the command line.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use clap_complete::Shell;
use clap_mangen::Man;

/// Pages of programs that serve the system.
const SECTION: &str = "8";

/// What the command line does not know about itself.
const MORE: &str = r".SH SIGNALS
.TP
SIGTERM, SIGINT
Running steps are finished, the store is closed, and the program ends with 0.
.TP
SIGHUP
The tokens, the certificate and the name in the file \fIactive\fR of the models folder are read again.
.SH FILES
.TP
\fI/etc/stride/agentd.toml\fR
The settings that the systemd unit names; \fBstride\-agentd \-\-print\-config\fR shows all of them with their values.
.TP
\fI/var/lib/stride\fR
The agents, under the systemd unit.
.TP
\fI/usr/share/stride/models\fR
The policies, \fINAME\fR.gguf each, with \fINAME\fR.gguf.sha256, \fINAME\fR.gguf.minisig and \fINAME\fR.golden.json if there are such.
.TP
\fI/run/stride/agentd.sock\fR
The socket, under the systemd unit. Members of the group stride may use it.
.SH ENVIRONMENT
.TP
\fBSTRIDE_AGENTD_LOG\fR
What is logged: error, warn, info (the default), debug or trace, or a list of MODULE=LEVEL.
.TP
\fBLISTEN_FDS\fR, \fBLISTEN_PID\fR
Sockets that systemd hands over; each must be one that the settings name.
.TP
\fBNOTIFY_SOCKET\fR, \fBWATCHDOG_USEC\fR
Where systemd wants to be told that steps are made.
.SH EXIT STATUS
0: ended in order. 1: failure. 2: wrong usage.
.SH SEE ALSO
\fI/usr/share/doc/stride\-agentd/agentd.md\fR, \fBsystemd\fR(1), \fBcurl\fR(1), \fBminisign\fR(1)
";

/// The variables that stand for options, as a section of the page.
fn variables(command: &clap::Command) -> String {
    let pairs = command.get_arguments().filter_map(|argument| {
        let (variable, flag) = (argument.get_env()?.to_str()?, argument.get_long()?);
        Some(format!(
            ".TP\n\\fB{variable}\\fR\nAs \\-\\-{}.\n",
            flag.replace('-', "\\-")
        ))
    });
    pairs.collect()
}

/// Writes the page of the program and those of its subcommands into a folder.
pub fn write_pages(command: clap::Command, folder: &Path) -> Result<()> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let shown = |command: &&clap::Command| !command.is_hide_set();
    for subcommand in command.get_subcommands().filter(shown) {
        let page = Man::new(subcommand.clone()).section(SECTION);
        page.generate_to(folder)
            .with_context(|| folder.display().to_string())?;
    }
    let more = MORE.replacen(
        ".SH ENVIRONMENT\n",
        &format!(".SH ENVIRONMENT\n{}", variables(&command)),
        1,
    );
    let page = Man::new(command).section(SECTION);
    let path = folder.join(page.get_filename());
    let write = || -> io::Result<()> {
        let mut file = File::create(&path)?;
        page.render(&mut file)?;
        file.write_all(more.as_bytes())
    };
    write().with_context(|| path.display().to_string())
}

/// Prints what a shell needs to complete the command line.
pub fn print_completions(mut command: clap::Command, shell: Shell) {
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut io::stdout());
}
