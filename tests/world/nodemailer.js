// tests/world/nodemailer.js - sends the messages of a JSON file through nodemailer; prints the numbers that were accepted, one a line.
// usage: NODE_PATH=/usr/share/nodejs node nodemailer.js JOB.json
const fs = require("fs");
const nodemailer = require("nodemailer");

const job = JSON.parse(fs.readFileSync(process.argv[2]));
const transport = nodemailer.createTransport({ ...job.transport, pool: true, maxConnections: 5 });

Promise.all(job.messages.map(async (m) => {
  try {
    await transport.sendMail({ envelope: { from: m.sender, to: m.rcpts }, raw: fs.readFileSync(m.file) });
    console.log(m.number);
  } catch (error) {
    console.error(m.number, error.message);
  }
})).then(() => transport.close());
