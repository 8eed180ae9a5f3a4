//! Reading secrets that flags name as files.

use secrecy::SecretString;

/// For `value_parser`: the flag names a file, the field holds what is in it.
pub(crate) fn secret_file(path: &str) -> Result<SecretString, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read it ({error}): check that the file is mounted and readable"))?;
    match text.trim() {
        "" => Err("it is empty: put the value into it".to_owned()),
        value => Ok(value.into()),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_line_end_is_not_part_of_a_secret_and_nothing_is_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "value\n").unwrap();
        assert_eq!(secret_file(path.to_str().unwrap()).unwrap().expose_secret(), "value");
        std::fs::write(&path, " \n").unwrap();
        assert!(secret_file(path.to_str().unwrap()).unwrap_err().contains("empty"));
        assert!(secret_file("/nowhere").unwrap_err().contains("mounted"));
    }
}
