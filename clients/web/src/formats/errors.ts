// What is told to people when a file cannot be used. One line: file, what is wrong, what to do.

export class FileError extends Error {
  constructor(file: string, problem: string) {
    super(`${file}: ${problem}`);
    this.name = "FileError";
  }
}
