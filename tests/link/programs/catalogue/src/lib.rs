//! A table of tools that other crates fill. Whoever looks one up has never heard of the crate it comes from.

/// Something that can be started by its name.
pub struct Tool {
    pub name: &'static str,
    pub start: fn(u64) -> Result<u64, Box<dyn std::error::Error>>,
}

inventory::collect!(Tool);

/// Starts the tool of that name.
pub fn start(name: &str, x: u64) -> Result<u64, Box<dyn std::error::Error>> {
    let tool = inventory::iter::<Tool>.into_iter().find(|tool| tool.name == name);
    (tool.ok_or_else(|| format!("no tool is called {name}"))?.start)(x)
}
