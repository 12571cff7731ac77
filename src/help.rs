//! The help of every command, in the language of this process.

use bakau_text::Messages;
use clap::{Arg, ArgAction, Command, CommandFactory};

use crate::{Arguments, words};

/// The command line with its help from the message files: `help_` and the path of commands and options.
pub(crate) fn command() -> Command {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    told(command, "help", words::chosen()).about(words::chosen().text("help_about"))
}

fn told(command: Command, path: &str, words: &'static Messages) -> Command {
    let below = |name: &str| format!("{path}_{}", name.replace('-', "_"));
    let template = format!("{{about-with-newline}}\n{}: {{usage}}\n\n{{all-args}}", words.text("help_usage"));
    let command = command.help_template(template).subcommand_help_heading(words.text("help_commands"));
    let command = command.mut_args(|arg| {
        let key = if arg.is_global_set() || is_built_in(&arg) {
            format!("help_{}", arg.get_id())
        } else {
            below(arg.get_id().as_str())
        };
        let heading = if arg.is_positional() { "help_arguments" } else { "help_options" };
        arg.help(words.text(&key).to_owned()).long_help(None).help_heading(words.text(heading))
    });
    command.mut_subcommands(|inner| {
        let key = below(inner.get_name());
        told(inner, &key, words).about(words.text(&key).to_owned()).long_about(None)
    })
}

/// `--help` and `--version`.
fn is_built_in(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version)
}
