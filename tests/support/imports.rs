//! The imports between the files of a source folder, from the text of these files.
//!
//! An import is a `use`, or a path in the code, of a module that is a file of the same folder.
//! Comments, strings and code for tests alone are left out. So is `mod child;`, which declares a
//! module and imports nothing.

mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tokens::{Token, tokens};

/// A place in the code of one file that names another file. Paths begin in the source folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Import {
    pub(crate) from: String,
    pub(crate) line: usize,
    pub(crate) to: String,
}

/// The paths of all Rust files below a source folder.
pub(crate) fn files(source: &Path) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    let mut folders = vec![source.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let path = path.strip_prefix(source).unwrap();
                files.insert(path.to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    files
}

/// The imports between the files of a source folder, where `library` is the name of its crate.
pub(crate) fn imports(source: &Path, library: &str) -> BTreeSet<Import> {
    let texts = files(source).into_iter().map(|file| {
        let text = std::fs::read_to_string(source.join(&file)).unwrap();
        (file, text)
    });
    imports_of(&texts.collect(), library)
}

/// The same, of texts by the paths of their files.
pub(crate) fn imports_of(texts: &BTreeMap<String, String>, library: &str) -> BTreeSet<Import> {
    let tokens: BTreeMap<&String, Vec<Token>> = texts
        .iter()
        .map(|(file, text)| (file, tokens(text)))
        .collect();
    let only_for_tests: BTreeSet<Module> = tokens
        .iter()
        .flat_map(|(file, tokens)| test_modules(&module_of(file), tokens))
        .collect();
    let is_test = |module: &Module| only_for_tests.iter().any(|test| module.starts_with(test));
    let modules: BTreeMap<Module, &String> = texts
        .keys()
        .map(|file| (module_of(file), file))
        .filter(|(module, _)| !is_test(module))
        .collect();
    let mut imports = BTreeSet::new();
    for (module, file) in &modules {
        let paths = paths(&without_tests(&tokens[file]));
        for path in paths {
            let to = resolve(&path, module, &modules, library);
            if let Some(to) = to.filter(|to| to != *file) {
                imports.insert(Import {
                    from: (*file).clone(),
                    line: path.line,
                    to,
                });
            }
        }
    }
    imports
}

/// Fails if two files import each other.
pub(crate) fn assert_no_circles(imports: &BTreeSet<Import>) {
    let circles: Vec<_> = circles(imports).into_values().collect();
    assert!(
        circles.is_empty(),
        "files that import each other:\n{}",
        circles.join("\n")
    );
}

/// The pairs of files that import each other, with the lines that do.
fn circles(imports: &BTreeSet<Import>) -> BTreeMap<[&str; 2], String> {
    let lines = |from: &str, to: &str| {
        let lines: Vec<_> = imports
            .iter()
            .filter(|import| import.from == from && import.to == to)
            .map(|import| import.line.to_string())
            .collect();
        lines.join(", ")
    };
    let pairs = imports
        .iter()
        .map(|import| [import.from.as_str(), import.to.as_str()]);
    pairs
        .filter(|[one, other]| one < other)
        .filter_map(|[one, other]| {
            let (there, back) = (lines(one, other), lines(other, one));
            let text = format!("  {one} line {there} and {other} line {back}");
            (!back.is_empty()).then_some(([one, other], text))
        })
        .collect()
}

/// The names of a module and of those around it, from the root of the crate on.
type Module = Vec<String>;

/// `aws/ecs.rs` is the module `aws::ecs`; the root of a library, or of a binary, is nameless.
fn module_of(file: &str) -> Module {
    let path = PathBuf::from(file).with_extension("");
    let names: Module = path
        .iter()
        .map(|name| name.to_str().unwrap().to_owned())
        .collect();
    match names.as_slice() {
        [root] if root == "lib" || root == "main" => Module::new(),
        [folder @ .., name] if name == "mod" => folder.to_vec(),
        _ => names,
    }
}

/// The file that a path means: that of the innermost module in it.
fn resolve(
    path: &FoundPath,
    file: &Module,
    modules: &BTreeMap<Module, &String>,
    library: &str,
) -> Option<String> {
    let here = [file.clone(), path.inside.clone()].concat();
    let mut rest = path.names.iter().peekable();
    let mut module = match rest.next()?.as_str() {
        "crate" => Module::new(),
        name if name == library => Module::new(),
        "self" => here,
        "super" => {
            let mut outer = here;
            outer.pop();
            while rest.next_if(|name| *name == "super").is_some() {
                outer.pop();
            }
            outer
        }
        name => {
            let child = [here, vec![name.to_owned()]].concat();
            if !modules.contains_key(&child) {
                return None;
            }
            child
        }
    };
    module.extend(rest.cloned());
    loop {
        if let Some(file) = modules.get(&module) {
            return Some((*file).clone());
        }
        module.pop()?;
    }
}

/// A path in the code, and the modules inside the file that it stands in.
struct FoundPath {
    names: Vec<String>,
    inside: Module,
    line: usize,
}

/// All paths of two or more names, and all paths in a `use`.
fn paths(tokens: &[Token]) -> Vec<FoundPath> {
    let mut paths = Vec::new();
    let mut inside: Vec<(String, usize)> = Vec::new();
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(token) = tokens.get(at) {
        let modules = inside.iter().map(|(name, _)| name.clone()).collect();
        let mut add = |names: Vec<String>| {
            paths.push(FoundPath {
                names,
                inside: Module::clone(&modules),
                line: token.line,
            });
        };
        match token.text.as_str() {
            // The `use<'a>` of a type is no import.
            "use" if !is(tokens, at + 1, "<") => at = tree(tokens, at + 1, &[], &mut add),
            "mod" if is(tokens, at + 2, "{") => {
                inside.push((tokens[at + 1].text.clone(), depth));
                at += 2;
            }
            text if token.is_name() && is(tokens, at + 1, "::") && !is_inner(tokens, at) => {
                let mut names = vec![text.to_owned()];
                while is(tokens, at + 1, "::") && tokens.get(at + 2).is_some_and(Token::is_name) {
                    names.push(tokens[at + 2].text.clone());
                    at += 2;
                }
                add(names);
                at += 1;
            }
            text => {
                depth += usize::from(text == "{");
                depth = depth.saturating_sub(usize::from(text == "}"));
                if text == "}" && inside.last().is_some_and(|(_, outer)| *outer == depth) {
                    inside.pop();
                }
                at += 1;
            }
        }
    }
    paths
}

/// True if the name at `at` continues a path, or follows a dot.
fn is_inner(tokens: &[Token], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| tokens.get(before));
    before.is_some_and(|token| token.text == "::" || token.text == ".")
}

/// Adds every path of a `use` tree that begins at `at`. Returns the end of the tree.
fn tree(
    tokens: &[Token],
    mut at: usize,
    prefix: &[String],
    add: &mut impl FnMut(Vec<String>),
) -> usize {
    let mut names = prefix.to_vec();
    let mut is_branch = false;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "{" => {
                is_branch = true;
                at += 1;
                while at < tokens.len() && !is(tokens, at, "}") {
                    at = tree(tokens, at, &names, add);
                    at += usize::from(is(tokens, at, ","));
                }
            }
            "as" => at += 1,
            "," | "}" | ";" => break,
            // `self` in braces is the path before the braces.
            "self" if !prefix.is_empty() => {}
            _ if token.is_name() => names.push(token.text.clone()),
            _ => {}
        }
        at += 1;
    }
    if !is_branch && !names.is_empty() {
        add(names);
    }
    at
}

const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];

/// The modules in files of their own that are compiled for tests alone.
fn test_modules(file: &Module, tokens: &[Token]) -> Vec<Module> {
    let declared = tokens.windows(CFG_TEST.len() + 3).filter_map(|window| {
        let (attribute, item) = window.split_at(CFG_TEST.len());
        let is_module = is_cfg_test(attribute) && is(item, 0, "mod") && is(item, 2, ";");
        is_module.then(|| item[1].text.clone())
    });
    declared
        .map(|name| [file.clone(), vec![name]].concat())
        .collect()
}

fn is_cfg_test(tokens: &[Token]) -> bool {
    let texts = tokens.iter().map(|token| token.text.as_str());
    texts.take(CFG_TEST.len()).eq(CFG_TEST)
}

/// The tokens outside items that are compiled for tests alone.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if is_cfg_test(&tokens[at..]) {
            at = end_of_item(tokens, at + CFG_TEST.len());
        } else {
            kept.push(token.clone());
            at += 1;
        }
    }
    kept
}

/// The place behind an item: behind its braces, or its semicolon.
fn end_of_item(tokens: &[Token], mut at: usize) -> usize {
    let mut depth = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            ";" if depth == 0 => return at,
            _ => {}
        }
    }
    at
}

fn is(tokens: &[Token], at: usize, text: &str) -> bool {
    tokens.get(at).is_some_and(|token| token.text == text)
}
